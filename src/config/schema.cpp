#include "config/schema.hpp"

#include "config/units.hpp"

namespace berth::config {

namespace {

std::string show(bool value) {
    return value ? "true" : "false";
}

std::string show(unsigned value) {
    return std::to_string(value);
}

std::string show(const std::string& value) {
    std::string text = "\"";
    for (const char c : value) {
        if (c == '"' || c == '\\')
            text += '\\';
        text += c;
    }
    return text + '"';
}

std::string show(std::uint64_t value) {
    return show(show_size(value));
}

std::string show(Seconds value) {
    return show(show_duration(value));
}

std::string show(const Texts& value) {
    std::string text;
    for (const auto& one : value)
        text += (text.empty() ? "" : ", ") + show(one);
    return "[" + text + "]";
}

std::string show(const Table& value) {
    std::string text;
    for (const auto& [name, one] : value)
        text += (text.empty() ? " " : ", ") + show(name) + " = " + show(one);
    return "{" + text + (text.empty() ? "}" : " }");
}

}  // namespace

std::string to_toml(const Slot& slot) {
    return std::visit([](const auto* value) { return show(*value); }, slot);
}

std::vector<Section> all_sections() {
    std::vector<Section> all;
    for (const auto part :
         {service_sections(), access_sections(), jobs_sections(), cache_sections()})
        all.insert(all.end(), part.begin(), part.end());
    return all;
}

}  // namespace berth::config
