#include "base/metrics.hpp"

#include <array>
#include <cstdio>

namespace berth {

namespace {

constexpr std::size_t series_max = 2000;
constexpr auto bounds = std::to_array<double>(
    {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300});

std::string number(double value) {
    char text[40];
    const int length = std::snprintf(text, sizeof text, "%.12g", value);
    return std::string(text, static_cast<std::size_t>(length));
}

// {a="x",b="y"} with the escapes of the text format.
std::string render(Labels labels) {
    std::string text;
    for (const auto& [name, value] : labels) {
        text += text.empty() ? "" : ",";
        text += name;
        text += "=\"";
        for (const char c : value) {
            if (c == '\\' || c == '"')
                text += '\\';
            if (c == '\n')
                text += "\\n";
            else
                text += c;
        }
        text += '"';
    }
    return text;
}

std::string braces(const std::string& labels, const std::string& more = {}) {
    if (labels.empty() && more.empty())
        return {};
    return "{" + labels + (labels.empty() || more.empty() ? "" : ",") + more + "}";
}

}  // namespace

Metrics::Series& Metrics::series(std::string_view name, Kind kind, Labels labels) {
    auto family = families_.find(name);
    if (family == families_.end())
        family = families_.emplace(std::string(name), Family{.kind = kind}).first;
    auto key = render(labels);
    auto& all = family->second.series;
    if (!all.contains(key) && all.size() >= series_max)
        key = "overflow=\"true\"";
    auto& found = all[key];
    if (kind == Kind::histogram && found.buckets.empty())
        found.buckets.resize(bounds.size());
    return found;
}

void Metrics::add(std::string_view name, Labels labels, double amount) {
    const std::lock_guard lock(mutex_);
    series(name, Kind::counter, labels).value += amount;
}

void Metrics::set(std::string_view name, Labels labels, double value) {
    const std::lock_guard lock(mutex_);
    series(name, Kind::gauge, labels).value = value;
}

void Metrics::clear(std::string_view name) {
    const std::lock_guard lock(mutex_);
    if (const auto family = families_.find(name); family != families_.end())
        family->second.series.clear();
}

void Metrics::observe(std::string_view name, Labels labels, double seconds) {
    const std::lock_guard lock(mutex_);
    auto& found = series(name, Kind::histogram, labels);
    for (std::size_t i = 0; i < bounds.size(); ++i)
        if (seconds <= bounds[i])
            ++found.buckets[i];
    found.value += seconds;
    ++found.count;
}

void Metrics::describe(std::string_view name, std::string_view help) {
    const std::lock_guard lock(mutex_);
    help_[std::string(name)] = help;
}

double Metrics::value(std::string_view name, Labels labels) const {
    const std::lock_guard lock(mutex_);
    const auto family = families_.find(name);
    if (family == families_.end())
        return 0;
    const auto found = family->second.series.find(render(labels));
    return found == family->second.series.end() ? 0 : found->second.value;
}

std::string Metrics::text() const {
    const std::lock_guard lock(mutex_);
    std::string out;
    for (const auto& [name, family] : families_) {
        if (const auto help = help_.find(name); help != help_.end())
            out += "# HELP " + name + " " + help->second + "\n";
        static constexpr const char* kinds[] = {"counter", "gauge", "histogram"};
        out += "# TYPE " + name + " " + kinds[static_cast<int>(family.kind)] + "\n";
        for (const auto& [labels, series] : family.series) {
            if (family.kind != Kind::histogram) {
                out += name + braces(labels) + " " + number(series.value) + "\n";
                continue;
            }
            for (std::size_t i = 0; i < bounds.size(); ++i)
                out += name + "_bucket" + braces(labels, "le=\"" + number(bounds[i]) + "\"") + " " +
                       std::to_string(series.buckets[i]) + "\n";
            const auto count = std::to_string(series.count);
            out += name + "_bucket" + braces(labels, "le=\"+Inf\"") + " " + count + "\n";
            out += name + "_sum" + braces(labels) + " " + number(series.value) + "\n";
            out += name + "_count" + braces(labels) + " " + count + "\n";
        }
    }
    return out;
}

}  // namespace berth
