// slurmrestd: no answer makes an id out of anything but digits, a lost answer is never a rejection,
// and what is not shown under our name is not ours.
#include "sites/slurm_rest.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>

using namespace berth;

namespace {

using End = net::HttpAnswer::End;

void check_submit(const net::HttpAnswer& answer) {
    using Kind = jobs::SubmitOutcome::Kind;
    const auto read = sites::slurm_rest::read_submit(answer, {});
    const bool digits = !read.batch_id.empty() && std::ranges::all_of(read.batch_id, [](char c) {
        return c >= '0' && c <= '9';
    });
    if ((read.kind == Kind::accepted) != digits)
        std::abort();
    const bool answered = answer.end == End::answered;
    if (read.kind == Kind::accepted && (!answered || answer.status != 200))
        std::abort();
    if (read.kind == Kind::rejected && !answered && answer.end != End::not_sent)
        std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr int statuses[] = {200, 400, 401, 404, 500, 503};
    constexpr End ends[] = {End::answered, End::answered,  End::not_sent,
                            End::cut,      End::timed_out, End::too_large};
    if (size < 2)
        return 0;
    net::HttpAnswer answer;
    answer.end = ends[data[0] % 6];
    answer.status = statuses[data[1] % 6];
    answer.body.assign(reinterpret_cast<const char*>(data) + 2, size - 2);
    check_submit(answer);
    const auto ours = sites::slurm_rest::carries(answer, "babcdefghij2345");
    if (ours && *ours && answer.body.find("jobs") == answer.body.npos &&
        answer.body.find('\\') == answer.body.npos)
        std::abort();
    static_cast<void>(sites::slurm_rest::read_cancel(answer));
    static_cast<void>(sites::slurm_rest::is_refused(answer));
    sites::Outcome outcome;
    outcome.exit_code = 0;
    outcome.output = answer.body;
    if (const auto token = sites::slurm_rest::read_token(outcome);
        token && token->find_first_of("\r\n ") != token->npos)
        std::abort();
    static_cast<void>(sites::slurm_rest::read_slurm_user(outcome));
    return 0;
}
