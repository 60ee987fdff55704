// sbatch: no text makes an id out of anything but digits, and a lost answer is never a rejection.
#include "sites/slurm.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>

using namespace berth;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const sites::Slurm slurm{sites::SlurmSettings()};
    if (size == 0)
        return 0;
    const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
    const auto half = std::min(text.find('\0'), text.size());
    sites::Outcome outcome;
    outcome.exit_code = data[0] % 3 - 1;
    outcome.timed_out = (data[0] & 0x80U) != 0;
    outcome.output = text.substr(0, half);
    outcome.error = text.substr(half);
    const auto read = slurm.read_submit(outcome);
    using Kind = jobs::SubmitOutcome::Kind;
    const bool digits = !read.batch_id.empty() && std::ranges::all_of(read.batch_id, [](char c) {
        return c >= '0' && c <= '9';
    });
    if ((read.kind == Kind::accepted) != digits)
        std::abort();
    if (read.kind == Kind::rejected && (outcome.timed_out || outcome.exit_code != 1))
        std::abort();
    (void)slurm.read_control(outcome);
    return 0;
}
