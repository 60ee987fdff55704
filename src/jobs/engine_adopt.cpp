// Looking in the session root for attempts that the store does not know, because it was restored
// from a backup.
#include "jobs/engine.hpp"

#include "base/log.hpp"

#include <algorithm>

namespace berth::jobs {

namespace asio = boost::asio;

namespace {

constexpr std::size_t stray_max = 10'000;
constexpr auto between_adoptions = std::chrono::seconds(2);

Result<std::vector<SessionNote>> list_shard(SessionFiles* files, unsigned shard) {
    return files->list_sessions(std::string(), shard);
}

std::vector<Result<FoundSession>> read_sessions(SessionFiles* files, std::vector<std::string> ids) {
    std::vector<Result<FoundSession>> sessions;
    sessions.reserve(ids.size());
    for (const auto& id : ids)
        sessions.push_back(files->find(std::string(), id));
    return sessions;
}

}  // namespace

// An adoption outlives the call that asked for it: what it has begun to store must reach memory.
struct Engine::AdoptionRun {
    AdoptionRun(asio::io_context& loop, std::vector<std::string> wanted)
        : tags(wanted.begin(), wanted.end()), ended(loop) {}

    std::set<std::string> tags;
    Result<Adoption> result = Error{ErrorKind::unavailable, "the service is being stopped"};
    bool done = false;
    Wakeup ended;
};

Async<Adoption> Engine::adopt_orphans(std::vector<std::string> tags) {
    if (std::exchange(adopting_, true))
        co_return Error{ErrorKind::conflict,
                        "another adoption is under way; try again when it has ended"};
    auto run = std::make_shared<AdoptionRun>(parts_.loop, std::move(tags));
    tasks_.spawn("adoption", run_adoption(run));
    while (!run->done)
        co_await run->ended.wait(std::chrono::hours(1));
    co_return std::move(run->result);
}

asio::awaitable<void> Engine::run_adoption(std::shared_ptr<AdoptionRun> run) {
    struct End {
        AdoptionRun& run;
        bool& adopting;
        ~End() {
            adopting = false;
            run.done = true;
            run.ended.notify();
        }
    };
    const End end{*run, adopting_};
    Adoption adoption;
    const auto tags = co_await adoptable(run->tags, adoption);
    auto seats = co_await find_seats(tags, adoption);
    if (!seats) {
        run->result = std::move(seats.error()).within("read the session root");
        co_return;
    }
    for (const auto& tag : tags) {
        const auto found = seats->find(tag);
        if (found != seats->end())
            co_await adopt_attempt(tag, found->second, adoption);
        else
            adoption.left.push_back(
                {.tag = tag, .job_id = {}, .why = "no session directory names this tag"});
    }
    for (const auto& left : adoption.left)
        log::warning("not_adopted",
                     {{"attempt", left.tag}, {"job", left.job_id}, {"reason", left.why}});
    run->result = std::move(adoption);
}

// The tags that an adoption is about; the others are told why not.
asio::awaitable<std::set<std::string>> Engine::adoptable(std::set<std::string> tags,
                                                         Adoption& adoption) {
    std::set<std::string> wanted;
    for (const auto& tag : tags) {
        auto known = co_await parts_.store.job_by_tag(tag);
        if (!known)
            adoption.left.push_back(
                {.tag = tag, .job_id = {}, .why = known.error().message, .for_now = true});
        else if (!is_own_tag(tag))
            adoption.left.push_back({.tag = tag, .job_id = {}, .why = "no tag of this store"});
        else if (*known || attempt(tag) != nullptr)
            adoption.left.push_back({.tag = tag, .job_id = {}, .why = "the attempt is known"});
        else
            wanted.insert(tag);
    }
    co_return wanted;
}

// The session directories that were made for `tags`. Shard by shard, so that other work of the disk
// pool gets its turn and the end of the service need not wait for the whole.
Async<std::map<std::string, Engine::Seats>> Engine::find_seats(std::set<std::string> tags,
                                                               Adoption& adoption) {
    std::map<std::string, Seats> found;
    for (unsigned shard = 0; shard < session_shards && !tags.empty(); ++shard) {
        auto notes = co_await offload(parts_.disk, list_shard, &parts_.files, shard);
        if (!notes)
            co_return notes.error();
        adoption.sessions += notes->size();
        for (const auto& note : *notes) {
            for (const auto& made : note.attempts) {
                const auto index = made.index.value_or(0);
                if (!tags.contains(made.tag) || index >= std::max(1U, limits_.array_size_max))
                    continue;
                const Seat seat{.job_id = note.job_id, .array = made.index.has_value()};
                auto& taken = found[made.tag].try_emplace(index, seat).first->second;
                taken.doubled = taken.doubled || taken.job_id != note.job_id;
            }
        }
    }
    co_return found;
}

asio::awaitable<void> Engine::adopt_attempt(std::string tag, Seats seats, Adoption& adoption) {
    std::vector<std::string> ids;
    for (const auto& [index, seat] : seats)
        ids.push_back(seat.job_id);
    auto sessions = co_await offload(parts_.disk, read_sessions, &parts_.files, ids);
    auto stored = co_await parts_.store.jobs(std::move(ids));
    if (!stored) {
        adoption.left.push_back(
            {.tag = tag, .job_id = {}, .why = stored.error().message, .for_now = true});
        co_return;
    }
    Draft draft;
    draft.row.tag = tag;
    draft.row.state = AttemptState::unknown;
    draft.row.message = "taken up from its session directories";
    draft.row.array = seats.begin()->second.array;
    draft.row.created = draft.row.updated = parts_.clock.wall();
    draft.row.jobs.resize(seats.rbegin()->first + 1);  // 0: a task without a job
    auto session = sessions.begin();
    for (const auto& [index, seat] : seats) {
        const auto left = place(draft, index, seat, std::move(*session++), *stored);
        if (!left.why.empty())
            adoption.left.push_back(left);
        if (left.for_now)
            co_return;
    }
    if (!draft.fresh.empty() || !draft.known.empty())
        co_await take_up(std::move(draft), adoption);
}

// Jobs whose fence names an attempt that is not known here: after a restore they were submitted
// once more, but their payload had been started before. They wait until it is taken up.
asio::awaitable<void> Engine::adopter() {
    for (;;) {
        if (to_adopt_.empty())
            co_await adopt_wakeup_.wait(std::chrono::seconds(60));
        if (to_adopt_.empty())
            continue;
        co_await sleep_for(between_adoptions);  // what else the restore has left goes with it
        const auto wanted = std::exchange(to_adopt_, {});
        std::vector<std::string> tags;
        tags.reserve(wanted.size());
        for (const auto& [tag, seqs] : wanted)
            tags.push_back(tag);
        auto adoption = co_await adopt_orphans(std::move(tags));
        if (!adoption)
            continue;                 // the jobs are looked at again, and ask again
        std::set<std::string> later;  // their jobs are looked at again, too
        for (const auto& left : adoption->left)
            (left.for_now ? later : unadoptable_).insert(left.tag);
        for (const auto& [tag, seqs] : wanted)
            for (const auto seq : seqs)
                if (!later.contains(tag))
                    mark_dirty(seq);
    }
}

Async<StraySessions> Engine::stray_sessions() {
    StraySessions stray;
    for (unsigned shard = 0; shard < session_shards && stray.complete; ++shard) {
        auto notes = co_await offload(parts_.disk, list_shard, &parts_.files, shard);
        if (!notes)
            co_return std::move(notes.error()).within("read the session root");
        stray.sessions += notes->size();
        std::vector<std::string> ids;
        for (const auto& note : *notes)
            ids.push_back(note.job_id);
        auto rows = co_await parts_.store.jobs(std::move(ids));
        if (!rows)
            co_return rows.error();
        std::set<std::string> known;
        for (const auto& row : *rows)
            known.insert(row.id);
        for (const auto& note : *notes) {
            if (known.contains(note.job_id))
                continue;
            stray.complete = stray.found.size() < stray_max;
            if (!stray.complete)
                break;
            const auto tag = note.attempts.empty() ? std::string() : note.attempts.back().tag;
            stray.found.push_back({.job_id = note.job_id, .tag = tag});
        }
    }
    co_return stray;
}

}  // namespace berth::jobs
