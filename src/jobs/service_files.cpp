// Files of a job, as its owner sees them.
#include "jobs/service.hpp"

#include "base/kill_point.hpp"

#include <sys/stat.h>

#include <algorithm>

namespace berth::jobs {

namespace {

using Entries = Result<std::vector<FileEntry>>;

Entries list_files(SessionFiles* files, std::string account, std::string id, std::size_t most) {
    return files->list(account, id, most);
}

Result<std::pair<Descriptor, FileStat>> open_and_stat(SessionFiles* files, std::string account,
                                                      std::string id, std::string path) {
    auto file = files->open(account, id, path);
    if (!file)
        return file.error();
    struct stat info {};
    if (::fstat(file->get(), &info) != 0)
        return Error{ErrorKind::unavailable, "the file cannot be read"};
    FileStat stat{.size = static_cast<std::uint64_t>(info.st_size)};
    stat.modified_s = info.st_mtim.tv_sec;
    stat.modified_ns = info.st_mtim.tv_nsec;
    return std::pair<Descriptor, FileStat>(std::move(*file), stat);
}

// The session directory as far as uploads need it, then the upload itself.
Result<std::unique_ptr<Upload>> prepare_upload(SessionFiles* files, std::string account,
                                               std::string id, std::string path, bool fresh,
                                               std::uint64_t room) {
    const SessionInput input{
        .job_id = id, .script = {}, .script_hash = {}, .launch = {}, .secret = {}, .fresh = fresh};
    if (auto made = files->make(account, input); !made)
        return made.error();
    return files->upload(account, id, path, room);
}

// What the absence of a file or folder means for a job in this state.
Error missing(const JobRow& row, Error error) {
    if (error.kind != ErrorKind::not_found)
        return error;
    if (is_final(row.status.state) && !row.status.session_made)
        return Error{ErrorKind::not_found, "the job has no files: it was never submitted"};
    return Error{ErrorKind::not_found, "there is no such file"};
}

}  // namespace

Async<std::vector<FileEntry>> Service::files(Owner owner, std::string id) {
    auto row = co_await find(std::move(owner), id);
    if (!row)
        co_return row.error();
    const auto most = settings_.files_listed_max + 1;
    auto entries = co_await offload(parts_.disk, list_files, &parts_.files, row->account, id, most);
    if (entries || entries.error().kind != ErrorKind::not_found)
        co_return entries;
    if (is_final(row->status.state) && row->status.session_made)
        co_return Error{ErrorKind::gone, "the job's files have been removed"};
    co_return std::vector<FileEntry>();
}

Async<std::pair<Descriptor, FileStat>> Service::open_file(Owner owner, std::string id,
                                                          std::string path) {
    auto row = co_await find(std::move(owner), id);
    if (!row)
        co_return row.error();
    auto file = co_await offload(parts_.disk, open_and_stat, &parts_.files, row->account, id,
                                 std::move(path));
    if (!file)
        co_return missing(*row, std::move(file.error()));
    file->second.may_grow = !is_final(row->status.state);
    co_return std::move(*file);
}

Async<std::unique_ptr<Upload>> Service::begin_upload(Owner owner, std::string id,
                                                     std::string path) {
    auto row = co_await find(std::move(owner), id);
    if (!row)
        co_return row.error();
    if (is_final(row->status.state))
        co_return Error{ErrorKind::conflict, "the job has ended; files can no longer be added"};
    if (row->status.state == State::uploading) {
        auto fits = co_await fits_declared(row->seq, path);
        if (!fits)
            co_return fits.error();
    }
    auto room = parts_.usage.room(row->account);
    if (!room) {
        room.error().kind = ErrorKind::too_large;
        co_return room.error();
    }
    const bool fresh = !row->status.session_made;
    auto upload = co_await offload(parts_.disk, prepare_upload, &parts_.files, row->account, id,
                                   std::move(path), fresh, *room);
    if (!upload && upload.error().kind == ErrorKind::not_found && !fresh)
        co_return Error{ErrorKind::gone, "the job's session directory has gone"};
    if (upload && fresh) {
        kill_point("upload_begun");
        auto noted = co_await parts_.engine.session_made(row->seq);
        if (!noted)
            co_return noted.error();
    }
    co_return upload;
}

// An upload must not stand in the way of a declared file.
Async<void> Service::fits_declared(JobSeq seq, std::string path) {
    auto requests = co_await parts_.store.requests(std::vector<JobSeq>(1, seq));
    if (!requests)
        co_return requests.error();
    if (requests->empty())
        co_return Result<void>();
    for (const auto& declared : requests->front().request->files) {
        if (path.starts_with(declared + "/"))
            co_return Error{ErrorKind::conflict, declared + " is declared as a file"};
        if (declared.starts_with(path + "/"))
            co_return Error{ErrorKind::conflict,
                            "the declared file " + declared + " needs a folder of this name"};
    }
    co_return Result<void>();
}

Async<void> Service::write_upload(Upload& upload, std::string bytes) {
    const auto write = [](Upload* target, std::string data) { return target->write(data); };
    co_return co_await offload(parts_.disk, write, &upload, std::move(bytes));
}

Async<bool> Service::finish_upload(Owner owner, std::string id, std::unique_ptr<Upload> upload) {
    const auto finish = [](Upload* target) { return target->finish(); };
    auto fresh = co_await offload(parts_.disk, finish, upload.get());
    if (!fresh)
        co_return fresh;
    kill_point("upload_finished");
    auto row = co_await find(std::move(owner), std::move(id));
    if (!row)
        co_return fresh;
    parts_.usage.uploaded(row->account, row->id, upload->size());
    if (row->status.state == State::uploading)
        static_cast<void>(co_await check_uploads(row->seq));
    co_return fresh;
}

// Lets the job go on when every declared file is there.
Async<void> Service::check_uploads(JobSeq seq) {
    const auto* active = parts_.engine.find(seq);
    if (active == nullptr || active->status.state != State::uploading)
        co_return Result<void>();
    const auto account = active->account;
    const auto id = active->id;
    auto requests = co_await parts_.store.requests(std::vector<JobSeq>(1, seq));
    if (!requests)
        co_return requests.error();
    if (requests->empty())
        co_return Result<void>();
    const auto most = settings_.files_listed_max;
    auto entries = co_await offload(parts_.disk, list_files, &parts_.files, account, id, most);
    if (!entries)
        co_return entries.error();
    for (const auto& wanted : requests->front().request->files) {
        const auto is_it = [&](const FileEntry& entry) {
            return !entry.directory && entry.path == wanted;
        };
        if (std::ranges::none_of(*entries, is_it))
            co_return Result<void>();
    }
    co_return co_await parts_.engine.uploaded(seq);
}

Async<void> Service::remove_file(Owner owner, std::string id, std::string path) {
    auto row = co_await find(std::move(owner), id);
    if (!row)
        co_return row.error();
    const auto remove = [](SessionFiles* files, std::string account, std::string job,
                           std::string file) { return files->remove_file(account, job, file); };
    auto removed = co_await offload(parts_.disk, remove, &parts_.files, row->account, std::move(id),
                                    std::move(path));
    if (!removed)
        co_return missing(*row, std::move(removed.error()));
    co_return Result<void>();
}

}  // namespace berth::jobs
