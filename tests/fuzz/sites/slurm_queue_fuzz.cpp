// squeue, sacct, scontrol and sinfo: whatever they print, the readers stay within their limits,
// and what ends a batch job is one of the words that end one.
#include "sites/slurm.hpp"

#include <cstdint>
#include <cstdlib>

using namespace berth;

namespace {

sites::SlurmSettings two_clusters() {
    sites::SlurmSettings settings;
    settings.clusters = "one,two";
    return settings;
}

// However its tables look, a site whose configuration names the version has limits.
void check_limits(const sites::Outcome& table) {
    static const sites::Slurm one{sites::SlurmSettings()};
    static const sites::Slurm two{two_clusters()};
    sites::Outcome config;
    config.exit_code = 0;
    config.output = "SLURM_VERSION = 22.05.8\n" + table.output;
    sites::Outcome partitions = table;
    partitions.output.insert(0, "PartitionName=grid ");
    if (!one.read_limits({config, partitions, table, table}) ||
        !two.read_limits({config, config, partitions, partitions, table, table}))
        std::abort();
}

void check(const Result<std::vector<jobs::BatchRecord>>& records) {
    if (!records)
        return;
    for (const auto& record : *records) {
        if (record.tag.size() != 15 || record.batch_id.empty() || record.task_id.empty())
            std::abort();
        if (!is_over(record.state) && (record.exit_code || record.ended))
            std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const sites::Slurm slurm{sites::SlurmSettings()};
    if (size == 0)
        return 0;
    sites::Outcome outcome;
    outcome.exit_code = 0;
    outcome.output.assign(reinterpret_cast<const char*>(data) + 1, size - 1);
    switch (data[0] % 3) {
        case 0:
            check(slurm.read_poll(outcome));
            break;
        case 1:
            check(slurm.read_history(outcome));
            break;
        default:
            check_limits(outcome);
    }
    return 0;
}
