#include "jobs/limits.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

namespace berth::jobs {
namespace {

// Two queues of a site: one with every limit, one without any.
SiteLimits site() {
    SiteLimits limits;
    limits.queues.push_back({.name = "grid",
                             .is_default = true,
                             .wall_time_max_s = 7200,
                             .wall_time_default_s = 600,
                             .nodes_max = 4,
                             .slots_per_node_max = 32,
                             .slots_max = 64,
                             .memory_per_node_max_mb = 64'000,
                             .gpus_per_node_max = 2,
                             .gpu_models = {"a100", "h100"},
                             .features = {"x86_64", "x86_64-v3"}});
    limits.queues.push_back({.name = "free"});
    return limits;
}

Request request(std::function<void(Request&)> change = {}) {
    Request wanted;
    wanted.queue = "grid";
    if (change)
        change(wanted);
    return wanted;
}

TEST(Place, RefusesEachLimitWithItsField) {
    struct Case {
        const char* field;
        std::function<void(Request&)> change;
    };
    const std::vector<Case> cases = {
        {"queue", [](Request& r) { r.queue = "no\nsuch"; }},
        {"resources.wall_time_s", [](Request& r) { r.resources.wall_time_s = 7201; }},
        {"resources.nodes", [](Request& r) { r.resources.nodes = 5; }},
        {"resources.slots", [](Request& r) { r.resources.slots = 33; }},
        {"resources.slots_per_node",
         [](Request& r) { r.resources.nodes = 2, r.resources.slots_per_node = 33; }},
        {"resources.slots",
         [](Request& r) {
             r.resources.nodes = 4, r.resources.slots = 65, r.resources.slots_per_node = 17;
         }},
        {"resources.memory_per_slot_mb",
         [](Request& r) { r.resources.slots = 32, r.resources.memory_per_slot_mb = 2001; }},
        {"resources.gpus.count", [](Request& r) { r.resources.gpus.count = 3; }},
        {"resources.gpus.model",
         [](Request& r) { r.resources.gpus = {.count = 1, .model = "v100"}; }},
        {"resources.architecture", [](Request& r) { r.resources.architecture = "aarch64"; }},
        {"resources.slots", [](Request& r) { r.resources.nodes = 3, r.resources.slots = 2; }},
        {"resources.slots_per_node",
         [](Request& r) {
             r.resources.nodes = 2, r.resources.slots = 9, r.resources.slots_per_node = 4;
         }},
        {"resources.warning_s",
         [](Request& r) { r.resources.wall_time_s = 600, r.resources.warning_s = 600; }},
        {"resources.warning_s", [](Request& r) { r.resources.warning_s = 600; }},
    };
    for (const auto& c : cases) {
        const auto placed = place(request(c.change), {}, site(), {});
        ASSERT_FALSE(placed) << c.field;
        EXPECT_EQ(placed.error().kind, ErrorKind::unprocessable) << c.field;
        EXPECT_EQ(placed.error().field, c.field) << placed.error().message;
        EXPECT_EQ(placed.error().message.find('\n'), std::string::npos);
    }
}

TEST(Place, TakesWhatIsExactlyAtTheLimits) {
    const auto placed = place(request([](Request& r) {
                                  r.resources = {.nodes = 2,
                                                 .slots = 64,
                                                 .slots_per_node = 32,
                                                 .memory_per_slot_mb = 2000,
                                                 .wall_time_s = 7200,
                                                 .gpus = {.count = 2, .model = "h100"},
                                                 .architecture = "x86_64-v3",
                                                 .warning_s = 7199};
                              }),
                              {}, site(), {});
    ASSERT_TRUE(placed) << placed.error().message;
    EXPECT_EQ(placed->batch_queue, "grid");
}

TEST(Place, ASiteWithoutLimitsTakesWhatItIsAskedFor) {
    const auto placed = place(request([](Request& r) {
                                  r.queue = "free";
                                  r.resources.nodes = 1000;
                                  r.resources.wall_time_s = 1'000'000;
                              }),
                              {}, site(), {});
    EXPECT_TRUE(placed);
}

TEST(Place, CompletesNodesSlotsAndSlotsPerNode) {
    struct Case {
        unsigned nodes, slots, per_node, slots_after, per_node_after;
    };
    for (const auto& c : {Case{1, 0, 0, 1, 1}, Case{0, 0, 0, 1, 1}, Case{1, 8, 0, 8, 8},
                          Case{1, 0, 8, 8, 8}, Case{3, 0, 0, 3, 1}, Case{3, 0, 16, 48, 16},
                          Case{2, 9, 0, 9, 5}, Case{2, 9, 5, 9, 5}, Case{2, 4, 8, 4, 8}}) {
        Request wanted = request();
        wanted.resources.nodes = c.nodes;
        wanted.resources.slots = c.slots;
        wanted.resources.slots_per_node = c.per_node;
        const auto placed = place(wanted, {}, site(), {});
        ASSERT_TRUE(placed) << placed.error().message;
        EXPECT_EQ(placed->resources.slots, c.slots_after);
        EXPECT_EQ(placed->resources.slots_per_node, c.per_node_after);
    }
}

TEST(Place, AProductThatDoesNotFitIntoANumberIsRefused) {
    for (const auto& [nodes, per_node] : {std::pair(65'536U, 65'536U), std::pair(3U, 1U << 31U)}) {
        Request wanted = request([](Request& r) { r.queue = "free"; });
        wanted.resources.nodes = nodes;
        wanted.resources.slots_per_node = per_node;
        EXPECT_FALSE(place(wanted, {}, {}, {})) << nodes;
    }
}

TEST(Place, WallTimeFollowsRequestThenSiteThenQueueAndStaysWithinTheLimits) {
    struct Case {
        unsigned asked, site_default, policy_max, wanted;
    };
    for (const auto& c :
         {Case{100, 50, 0, 100}, Case{0, 0, 0, 600}, Case{0, 50, 0, 50}, Case{0, 100'000, 0, 7200},
          Case{0, 0, 300, 300}, Case{0, 100'000, 300, 300}, Case{299, 0, 300, 299}}) {
        PlacementRules rules{
            .policies = {{.name = "grid", .batch_queue = "", .wall_time_max_s = c.policy_max}},
            .wall_time_default_s = c.site_default};
        Request wanted = request();
        wanted.resources.wall_time_s = c.asked;
        const auto placed = place(wanted, {}, site(), rules);
        ASSERT_TRUE(placed) << placed.error().message;
        EXPECT_EQ(placed->resources.wall_time_s, c.wanted) << c.asked << ' ' << c.site_default;
    }
}

// Without a time limit of its own the job would get the batch system's, which may be longer.
TEST(Place, ARequestWithoutWallTimeCannotGoRoundTheQueuesLimit) {
    const PlacementRules rules{
        .policies = {{.name = "free", .batch_queue = "", .wall_time_max_s = 3600}},
        .wall_time_default_s = 0};
    const auto placed = place(request([](Request& r) { r.queue = "free"; }), {}, site(), rules);
    ASSERT_TRUE(placed);
    EXPECT_EQ(placed->resources.wall_time_s, 3600U);
}

TEST(Place, APolicyNarrowsTheQueue) {
    const PlacementRules rules{.policies = {{.name = "short",
                                             .batch_queue = "grid",
                                             .wall_time_max_s = 60,
                                             .nodes_max = 1,
                                             .slots_max = 4,
                                             .memory_per_slot_max_mb = 1000,
                                             .gpus_max = 1,
                                             .options = {{"qos", "low"}}}},
                               .wall_time_default_s = 0};
    struct Case {
        const char* field;
        std::function<void(Request&)> change;
    };
    const std::vector<Case> cases = {
        {"resources.wall_time_s", [](Request& r) { r.resources.wall_time_s = 61; }},
        {"resources.nodes", [](Request& r) { r.resources.nodes = 2; }},
        {"resources.slots", [](Request& r) { r.resources.slots = 5; }},
        {"resources.memory_per_slot_mb", [](Request& r) { r.resources.memory_per_slot_mb = 1001; }},
        {"resources.gpus.count", [](Request& r) { r.resources.gpus.count = 2; }},
        {"resources.architecture", [](Request& r) { r.resources.architecture = "aarch64"; }},
    };
    for (const auto& c : cases) {
        auto wanted = request(c.change);
        wanted.queue = "short";
        const auto placed = place(wanted, {}, site(), rules);
        ASSERT_FALSE(placed) << c.field;
        EXPECT_EQ(placed.error().field, c.field);
    }
    const auto placed = place(request([](Request& r) { r.queue = "short"; }), {}, site(), rules);
    ASSERT_TRUE(placed);
    EXPECT_EQ(placed->queue, "short");
    EXPECT_EQ(placed->batch_queue, "grid");
    EXPECT_EQ(placed->options.at("qos"), "low");
    EXPECT_EQ(place(request(), {}, site(), rules).error().field, "queue")
        << "with policies only the queues that they name exist";
}

TEST(Place, AnIdentityMayUseOnlyTheQueuesOfItsMapping) {
    const Owner owner{.queues = {"free", "grid"}};
    EXPECT_TRUE(place(request(), owner, site(), {}));
    const Owner narrow{.queues = {"free"}};
    const auto refused = place(request(), narrow, site(), {});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().field, "queue");
    EXPECT_NE(refused.error().message.find("free"), std::string::npos);
}

TEST(Place, TheDefaultQueueIsTheMappingsThenThePolicysThenTheSites) {
    const Request wanted;
    EXPECT_EQ(place(wanted, {}, site(), {})->queue, "grid");
    EXPECT_EQ(place(wanted, Owner{.queues = {"free", "grid"}}, site(), {})->queue, "free");
    PlacementRules rules{
        .policies = {{.name = "grid", .batch_queue = ""}, {.name = "free", .batch_queue = ""}},
        .wall_time_default_s = 0};
    EXPECT_EQ(place(wanted, {}, site(), rules)->queue, "grid") << "the first";
    rules.policies[1].is_default = true;
    EXPECT_EQ(place(wanted, {}, site(), rules)->queue, "free");
}

TEST(Place, WithoutKnownLimitsThePoliciesAreStillChecked) {
    const PlacementRules rules{.policies = {{.name = "grid", .batch_queue = "", .nodes_max = 1}},
                               .wall_time_default_s = 0};
    EXPECT_TRUE(place(request(), {}, {}, rules));
    EXPECT_FALSE(place(request([](Request& r) { r.resources.nodes = 2; }), {}, {}, rules));
}

TEST(DirectivesHash, DiffersByAllThatTheBatchSystemSees) {
    const Owner owner{.account = "grid1", .batch_account = "atlas"};
    const auto base = *place(request(), owner, site(), {});
    const auto hash = directives_hash(owner, base, "p");
    EXPECT_EQ(directives_hash(owner, base, "p"), hash);
    EXPECT_NE(directives_hash(owner, base, "q"), hash);
    EXPECT_NE(directives_hash(Owner{.account = "grid2", .batch_account = "atlas"}, base, "p"),
              hash);
    EXPECT_NE(directives_hash(Owner{.account = "grid1", .batch_account = "cms"}, base, "p"), hash);
    const std::vector<std::function<void(Placement&)>> changes = {
        [](Placement& p) { p.queue = "x"; },
        [](Placement& p) { p.batch_queue = "x"; },
        [](Placement& p) { p.options["qos"] = "x"; },
        [](Placement& p) { ++p.resources.nodes; },
        [](Placement& p) { ++p.resources.slots; },
        [](Placement& p) { ++p.resources.slots_per_node; },
        [](Placement& p) { ++p.resources.memory_per_slot_mb; },
        [](Placement& p) { ++p.resources.wall_time_s; },
        [](Placement& p) { ++p.resources.gpus.count; },
        [](Placement& p) { p.resources.gpus.model = "x"; },
        [](Placement& p) { p.resources.architecture = "x"; },
        [](Placement& p) { p.resources.exclusive = true; },
        [](Placement& p) { ++p.resources.warning_s; },
    };
    for (std::size_t i = 0; i < changes.size(); ++i) {
        auto other = base;
        changes[i](other);
        EXPECT_NE(directives_hash(owner, other, "p"), hash) << "change " << i;
    }
}

}  // namespace
}  // namespace berth::jobs
