#include "base/metrics.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace berth {
namespace {

TEST(Metrics, AnEmptyTableIsAnEmptyText) {
    EXPECT_EQ(Metrics().text(), "");
}

TEST(Metrics, CountersAddAndGaugesSet) {
    Metrics metrics;
    metrics.add("berth_jobs_total", {{"state", "done"}});
    metrics.add("berth_jobs_total", {{"state", "done"}}, 2);
    metrics.set("berth_queue_depth", {}, 7);
    metrics.set("berth_queue_depth", {}, 5.5);
    EXPECT_EQ(metrics.value("berth_jobs_total", {{"state", "done"}}), 3);
    EXPECT_EQ(metrics.value("berth_jobs_total", {{"state", "failed"}}), 0);
    EXPECT_EQ(metrics.value("berth_none"), 0);
    metrics.describe("berth_jobs_total", "Jobs that ended.");
    EXPECT_EQ(metrics.text(),
              "# HELP berth_jobs_total Jobs that ended.\n"
              "# TYPE berth_jobs_total counter\n"
              "berth_jobs_total{state=\"done\"} 3\n"
              "# TYPE berth_queue_depth gauge\n"
              "berth_queue_depth 5.5\n");
}

TEST(Metrics, LabelValuesAreEscaped) {
    Metrics metrics;
    metrics.add("berth_x_total", {{"a", "q\"b\\c\nd"}, {"b", "2"}});
    EXPECT_NE(metrics.text().find("berth_x_total{a=\"q\\\"b\\\\c\\nd\",b=\"2\"} 1\n"),
              std::string::npos)
        << metrics.text();
}

TEST(Metrics, AHistogramCountsIntoEveryBucketAbove) {
    Metrics metrics;
    metrics.observe("berth_wait_seconds", {{"op", "poll"}}, 0.3);
    metrics.observe("berth_wait_seconds", {{"op", "poll"}}, 1000);
    const auto text = metrics.text();
    for (const auto* line : {"# TYPE berth_wait_seconds histogram\n",
                             "berth_wait_seconds_bucket{op=\"poll\",le=\"0.25\"} 0\n",
                             "berth_wait_seconds_bucket{op=\"poll\",le=\"0.5\"} 1\n",
                             "berth_wait_seconds_bucket{op=\"poll\",le=\"300\"} 1\n",
                             "berth_wait_seconds_bucket{op=\"poll\",le=\"+Inf\"} 2\n",
                             "berth_wait_seconds_sum{op=\"poll\"} 1000.3\n",
                             "berth_wait_seconds_count{op=\"poll\"} 2\n"})
        EXPECT_NE(text.find(line), std::string::npos) << line << text;
}

TEST(Metrics, AHistogramWithoutLabelsHasOnlyItsBound) {
    Metrics metrics;
    metrics.observe("berth_wait_seconds", {}, 0.001);
    EXPECT_NE(metrics.text().find("berth_wait_seconds_bucket{le=\"0.001\"} 1\n"),
              std::string::npos);
}

TEST(Metrics, ClearForgetsTheLabelSets) {
    Metrics metrics;
    metrics.set("berth_up", {{"host", "a"}}, 1);
    metrics.clear("berth_up");
    metrics.clear("berth_none");
    metrics.set("berth_up", {{"host", "b"}}, 1);
    EXPECT_EQ(metrics.text(), "# TYPE berth_up gauge\nberth_up{host=\"b\"} 1\n");
}

TEST(Metrics, LabelSetsAboveTheLimitShareOne) {
    Metrics metrics;
    for (int i = 0; i < 2100; ++i)
        metrics.add("berth_x_total", {{"client", std::to_string(i)}});
    EXPECT_EQ(metrics.value("berth_x_total", {{"overflow", "true"}}), 100);
    EXPECT_EQ(metrics.value("berth_x_total", {{"client", "1999"}}), 1);
    EXPECT_EQ(metrics.value("berth_x_total", {{"client", "2000"}}), 0);
    metrics.add("berth_x_total", {{"client", "7"}});
    EXPECT_EQ(metrics.value("berth_x_total", {{"client", "7"}}), 2);
}

TEST(Metrics, ThreadsMayCountTogether) {
    Metrics metrics;
    const auto work = [&metrics] {
        for (int i = 0; i < 1000; ++i)
            metrics.add("berth_x_total");
    };
    std::thread first(work), second(work);
    first.join();
    second.join();
    EXPECT_EQ(metrics.value("berth_x_total"), 2000);
}

}  // namespace
}  // namespace berth
