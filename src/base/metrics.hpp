// Counters, gauges and histograms, written in the Prometheus text format 0.0.4.
//
// Threads: any; one mutex. Names begin with "berth_".
// Limits: at most 2,000 label sets per family; what is above goes into the label set
// {overflow="true"}, so that no client can grow the table.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace berth {

using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

class Metrics {
public:
    // Adds to a counter (name should end in _total).
    void add(std::string_view name, Labels labels = {}, double amount = 1);
    // Sets a gauge.
    void set(std::string_view name, Labels labels, double value);
    // Forgets every label set of a gauge, before it is set anew.
    void clear(std::string_view name);
    // Adds to a histogram of seconds (buckets from 1 ms to 300 s).
    void observe(std::string_view name, Labels labels, double seconds);

    // One sentence for a name; shown as # HELP.
    void describe(std::string_view name, std::string_view help);

    double value(std::string_view name, Labels labels = {}) const;  // 0 when absent; for tests
    std::string text() const;

private:
    enum class Kind { counter, gauge, histogram };
    struct Series {
        double value = 0;
        std::vector<std::uint64_t> buckets = {};
        std::uint64_t count = 0;
    };
    struct Family {
        Kind kind = Kind::counter;
        std::map<std::string, Series> series = {};  // by rendered labels
    };

    Series& series(std::string_view name, Kind kind, Labels labels);

    mutable std::mutex mutex_;
    std::map<std::string, Family, std::less<>> families_;
    std::map<std::string, std::string, std::less<>> help_;
};

}  // namespace berth
