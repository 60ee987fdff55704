#include "sample.hpp"
#include "sites/slurm.hpp"

#include <algorithm>

namespace berth::sites {
namespace {

std::vector<Outcome> recorded() {
    return {answer(sample("slurm-22.05.8-show-config.txt")),
            answer(sample("slurm-22.05.8-show-partition.txt")),
            answer(sample("slurm-22.05.8-sinfo.txt")), answer(sample("slurm-22.05.8-qos.txt"))};
}

const jobs::QueueLimits& queue(const jobs::SiteLimits& limits, std::string_view name) {
    const auto found = std::ranges::find(limits.queues, name, &jobs::QueueLimits::name);
    static const jobs::QueueLimits none;
    EXPECT_NE(found, limits.queues.end()) << name;
    return found == limits.queues.end() ? none : *found;
}

TEST(SlurmLimits, TheRecordedSiteIsUnderstood) {
    const Slurm slurm{SlurmSettings()};
    EXPECT_EQ(slurm.limits().size(), recorded().size());
    const auto limits = slurm.read_limits(recorded());
    ASSERT_TRUE(limits) << limits.error().message;
    EXPECT_EQ(limits->version, "slurm 22.05.8");
    EXPECT_EQ(limits->array_size_max, 10001U);
    EXPECT_EQ(limits->jobs_max, 100000U);
    EXPECT_EQ(limits->min_job_age_s, 300U);
    EXPECT_EQ(limits->command_timeout_s, 10U);
    EXPECT_TRUE(limits->has_history);
    EXPECT_EQ(limits->details.at("ClusterName"), "testbed");
    EXPECT_TRUE(limits->details.contains("qos.normal"));
    EXPECT_EQ(limits->queues.size(), 5U);
    const auto& grid = queue(*limits, "grid");
    EXPECT_TRUE(grid.is_default && grid.up);
    EXPECT_EQ(grid.wall_time_max_s, 172800U);
    EXPECT_EQ(grid.wall_time_default_s, 3600U);
    EXPECT_EQ(grid.nodes_max, 2U);
    EXPECT_EQ(grid.slots_max, 16U);
    EXPECT_EQ(grid.slots_per_node_max, 8U);
    EXPECT_EQ(grid.memory_per_node_max_mb, 16000U);
    EXPECT_EQ(grid.gpus_per_node_max, 2U);
    EXPECT_EQ(grid.gpu_models, std::vector<std::string>{"a100"});
    EXPECT_EQ(grid.features, (std::vector<std::string>{"x86_64", "x86_64-v3"}));
    EXPECT_EQ(queue(*limits, "held").wall_time_max_s, 0U);
    EXPECT_FALSE(queue(*limits, "held").up);
    EXPECT_EQ(queue(*limits, "long").nodes_max, 1U);
}

TEST(SlurmLimits, OfSeveralClustersTheWidestQueueCountsAndEachIsAskedAlone) {
    SlurmSettings settings;
    settings.clusters = "first,second";
    const Slurm both(settings);
    const auto actions = both.limits();
    ASSERT_EQ(actions.size(), 6U);
    for (std::size_t i = 0; i < 4; ++i)  // scontrol 22.05.8: "Only one cluster can be used"
        EXPECT_EQ(actions[i].command[1], i % 2 == 0 ? "--clusters=first" : "--clusters=second");
    EXPECT_EQ(actions[4].command[1], "--clusters=first,second");
    EXPECT_EQ(both.config().command, actions[0].command);
    const std::string partition = "PartitionName=grid Default=NO MaxNodes=UNLIMITED MaxTime=";
    const auto limits = both.read_limits(
        {answer("ClusterName = first\nSLURM_VERSION = 22.05.8\nMaxArraySize = 1001\n"
                "MinJobAge = 300 sec\nMessageTimeout = 10 sec\n"),
         answer("ClusterName = second\nSLURM_VERSION = 22.05.9\nMaxArraySize = 501\n"
                "MinJobAge = 60 sec\nMessageTimeout = 30 sec\n"),
         answer(partition + "01:00:00 State=DOWN TotalCPUs=8 TotalNodes=1\n"),
         answer(partition + "02:00:00 State=UP TotalCPUs=64 TotalNodes=2\n"
                            "PartitionName=other MaxTime=UNLIMITED State=UP TotalNodes=2\n"),
         answer("grid|1|8|16000|(null)|a\ngrid|2|32|8000|gpu:2|b\nother|2|32|8000|(null)|b\n")});
    ASSERT_TRUE(limits) << limits.error().message;
    EXPECT_EQ(limits->version, "slurm 22.05.8");
    EXPECT_EQ(limits->array_size_max, 501U);
    EXPECT_EQ(limits->min_job_age_s, 60U);
    EXPECT_EQ(limits->command_timeout_s, 30U);
    ASSERT_EQ(limits->queues.size(), 2U);
    const auto& grid = queue(*limits, "grid");
    EXPECT_TRUE(grid.up);
    EXPECT_EQ(grid.wall_time_max_s, 7200U);
    EXPECT_EQ(grid.nodes_max, 2U);
    EXPECT_EQ(grid.slots_max, 64U);
    EXPECT_EQ(grid.slots_per_node_max, 32U);
    EXPECT_EQ(grid.memory_per_node_max_mb, 16000U);
    EXPECT_EQ(grid.gpus_per_node_max, 2U);
    EXPECT_EQ(grid.features, (std::vector<std::string>{"a", "b"}));
}

TEST(SlurmLimits, GpusOfAllSpellingsAreCounted) {
    const std::vector<std::pair<std::string, unsigned>> table{{"gpu:a100:4(S:0-1)", 4},
                                                              {"gpu:2", 2},
                                                              {"gpu", 1},
                                                              {"(null)", 0},
                                                              {"gpu:a100:2,gpu:v100:2", 4},
                                                              {"tmp:100", 0},
                                                              {"gpu:a100", 1},
                                                              {"mps:100,gpu:h100:8(IDX:0-7)", 8}};
    const Slurm slurm{SlurmSettings()};
    for (const auto& [gres, count] : table) {
        auto outcomes = recorded();
        outcomes[2].output = "grid|2|8|16000|" + gres + "|(null)\n";
        const auto limits = slurm.read_limits(outcomes);
        ASSERT_TRUE(limits);
        EXPECT_EQ(queue(*limits, "grid").gpus_per_node_max, count) << gres;
        EXPECT_TRUE(queue(*limits, "grid").features.empty());
    }
}

TEST(SlurmLimits, AFailedQuestionIsAnErrorButAccountingIsOptional) {
    const Slurm slurm{SlurmSettings()};
    for (std::size_t i = 0; i < 3; ++i) {
        auto outcomes = recorded();
        outcomes[i].exit_code = 1;
        EXPECT_FALSE(slurm.read_limits(outcomes)) << i;
    }
    auto outcomes = recorded();
    outcomes[3].exit_code = 1;
    EXPECT_TRUE(slurm.read_limits(outcomes));
    outcomes = recorded();
    outcomes[0].output =
        "AccountingStorageType = accounting_storage/none\nSLURM_VERSION = 25.05.1\n";
    EXPECT_FALSE(slurm.read_limits(outcomes)->has_history);
    EXPECT_EQ(slurm.read_limits(outcomes)->array_size_max, 1001U);
    outcomes[0].output = "";
    EXPECT_FALSE(slurm.read_limits(outcomes));
    EXPECT_FALSE(slurm.read_limits({}));
}

}  // namespace
}  // namespace berth::sites
