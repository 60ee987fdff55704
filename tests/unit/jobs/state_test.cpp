#include "jobs/state.hpp"

#include "jobs/batch_facts.hpp"
#include "jobs/rows.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <fstream>
#include <set>
#include <string>
#include <utility>

namespace berth::jobs {
namespace {

constexpr int reasons_end = static_cast<int>(Reason::submit_limit) + 1;

bool reaches_an_end(State from, std::set<State>& seen) {
    if (is_final(from))
        return true;
    if (!seen.insert(from).second)
        return false;
    for (const auto& step : steps)
        if (step.from == from && reaches_an_end(step.to, seen))
            return true;
    return false;
}

// The words that the API's description permits for a property called `name`.
void collect_enums(const nlohmann::json& node, const std::string& name,
                   std::vector<std::set<std::string>>& found) {
    if (node.is_object()) {
        const auto schema = node.find(name);
        if (schema != node.end() && schema->is_object() && schema->contains("enum"))
            found.push_back(schema->at("enum").get<std::set<std::string>>());
        for (const auto& [key, value] : node.items())
            collect_enums(value, name, found);
    } else if (node.is_array()) {
        for (const auto& value : node)
            collect_enums(value, name, found);
    }
}

std::set<std::string> api_words(const std::string& name) {
    std::ifstream file(BERTH_OPENAPI);
    const auto document = nlohmann::json::parse(file, nullptr, false);
    std::vector<std::set<std::string>> found;
    collect_enums(document, name, found);
    return found.empty() ? std::set<std::string>() : found.front();
}

TEST(JobState, EveryStateReachesAnEnd) {
    for (const auto state : states) {
        std::set<State> seen;
        EXPECT_TRUE(reaches_an_end(state, seen)) << to_string(state);
    }
}

TEST(JobState, NothingLeavesAFinalState) {
    for (const auto& step : steps)
        EXPECT_FALSE(is_final(step.from)) << to_string(step.from) << " -> " << to_string(step.to);
}

TEST(JobState, NoStepIsListedTwiceOrLeadsNowhere) {
    std::set<std::pair<State, State>> seen;
    for (const auto& step : steps) {
        EXPECT_TRUE(seen.emplace(step.from, step.to).second)
            << to_string(step.from) << " -> " << to_string(step.to);
        EXPECT_NE(step.from, step.to) << to_string(step.from);
    }
}

TEST(JobState, EveryStateButTheFirstHasAWayIn) {
    for (const auto state : states) {
        bool entered = state == State::accepted;
        for (const auto& step : steps)
            entered = entered || step.to == state;
        EXPECT_TRUE(entered) << to_string(state);
    }
}

TEST(JobState, EveryJobThatHasNotEndedMayFailAndBeforeItsOutputsAreSentBeCancelled) {
    for (const auto state : states) {
        if (is_final(state))
            continue;
        EXPECT_TRUE(may_step(state, State::failed)) << to_string(state);
        EXPECT_EQ(may_step(state, State::cancelled), state != State::staging_out)
            << to_string(state);
    }
}

TEST(JobState, NothingIsDoneThatWasNotSubmitted) {
    for (const auto state : {State::accepted, State::uploading, State::staging_in, State::ready})
        EXPECT_FALSE(may_step(state, State::done)) << to_string(state);
}

TEST(JobState, NamesAreReadBack) {
    std::set<std::string_view> names;
    for (const auto state : states) {
        EXPECT_EQ(state_from(to_string(state)), state);
        EXPECT_TRUE(names.insert(to_string(state)).second) << to_string(state);
    }
    for (const auto* wrong : {"", "unknown", "Done", "done ", "?"})
        EXPECT_FALSE(state_from(wrong)) << wrong;
}

TEST(JobReason, NamesAreReadBack) {
    std::set<std::string_view> names;
    for (int i = 0; i < reasons_end; ++i) {
        const auto reason = static_cast<Reason>(i);
        EXPECT_NE(to_string(reason), "?") << i;
        EXPECT_EQ(reason_from(to_string(reason)), reason);
        EXPECT_TRUE(names.insert(to_string(reason)).second) << to_string(reason);
    }
    EXPECT_FALSE(reason_from("oom"));
}

TEST(JobState, TheApiDescriptionHasTheSameStates) {
    std::set<std::string> ours;
    for (const auto state : states)
        ours.emplace(to_string(state));
    EXPECT_EQ(api_words("State"), ours);
}

TEST(JobReason, TheApiDescriptionHasTheSameReasons) {
    std::set<std::string> ours;
    for (int i = static_cast<int>(Reason::none) + 1; i < reasons_end; ++i)
        ours.emplace(to_string(static_cast<Reason>(i)));  // no reason is left out of an answer
    EXPECT_EQ(api_words("Reason"), ours);
}

TEST(RowNames, SourcesAreReadBackAndEqualTheApis) {
    std::set<std::string> names;
    for (int i = 0; i <= static_cast<int>(Source::event); ++i) {
        const auto source = static_cast<Source>(i);
        EXPECT_EQ(source_from(to_string(source)), source);
        names.emplace(to_string(source));
    }
    EXPECT_EQ(names.size(), 5U);
    EXPECT_FALSE(source_from("squeue"));
    const auto words = api_words("Source");
    EXPECT_EQ(words, names);
}

TEST(RowNames, AttemptStatesAreReadBack) {
    std::set<std::string_view> names;
    for (int i = 0; i <= static_cast<int>(AttemptState::over); ++i) {
        const auto state = static_cast<AttemptState>(i);
        EXPECT_EQ(attempt_state_from(to_string(state)), state);
        names.insert(to_string(state));
    }
    EXPECT_EQ(names.size(), 7U);
    EXPECT_FALSE(attempt_state_from(""));
}

TEST(RowNames, BatchStatesHaveDifferentNamesAndOnlyEndsAreOver) {
    const std::set<BatchState> ends = {
        BatchState::done,      BatchState::failed,    BatchState::walltime, BatchState::memory,
        BatchState::node_lost, BatchState::preempted, BatchState::cancelled};
    std::set<std::string_view> names;
    for (int i = 0; i <= static_cast<int>(BatchState::requeue_held); ++i) {
        const auto state = static_cast<BatchState>(i);
        EXPECT_TRUE(names.insert(to_string(state)).second) << to_string(state);
        EXPECT_EQ(is_over(state), ends.contains(state)) << to_string(state);
    }
}

}  // namespace
}  // namespace berth::jobs
