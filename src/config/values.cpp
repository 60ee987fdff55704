#include "base/text.hpp"
#include "config/formats.hpp"
#include "config/toml.hpp"
#include "config/units.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace berth::config {

namespace {

std::string quoted(std::string_view text) {
    return '"' + printable(text, 80) + '"';
}

std::string_view noun_of(toml::node_type type) {
    switch (type) {
        case toml::node_type::table:
            return "a table";
        case toml::node_type::array:
            return "a list";
        case toml::node_type::string:
            return "a text";
        case toml::node_type::integer:
            return "a whole number";
        case toml::node_type::floating_point:
            return "a number with a fraction";
        case toml::node_type::boolean:
            return "true or false";
        case toml::node_type::date:
        case toml::node_type::time:
        case toml::node_type::date_time:
            return "a date or time";
        case toml::node_type::none:
            break;
    }
    return "nothing";
}

std::string show_number(std::uint64_t value) {
    return std::to_string(value);
}

std::string show_seconds(std::uint64_t value) {
    return show_duration(Seconds(static_cast<Seconds::rep>(value)));
}

}  // namespace

void ValueReader::read(const toml::node& node, const Slot& slot, const std::string& name) {
    std::visit([&](auto* value) { read_into(node, value, name); }, slot);
}

bool ValueReader::fits(const toml::node& node, const std::string& name, std::string fault) {
    if (fault.empty())
        return true;
    document_.report_at(position_of(node.source()), name, std::move(fault));
    return false;
}

void ValueReader::wrong_type(const toml::node& node, const std::string& name,
                             std::string_view wanted, const std::string& advice) {
    fits(node, name,
         "must be " + std::string(wanted) + ", but is " + std::string(noun_of(node.type())) +
             "; write " + advice);
}

void ValueReader::read_into(const toml::node& node, bool* value, const std::string& name) {
    if (const auto* flag = node.as_boolean())
        *value = flag->get();
    else
        wrong_type(node, name, "true or false", "true or false without quotes");
}

void ValueReader::read_into(const toml::node& node, unsigned* value, const std::string& name) {
    const auto* number = node.as_integer();
    if (number == nullptr) {
        wrong_type(node, name, "a whole number", "it without quotes, unit or fraction");
        return;
    }
    Rule rule = rule_;
    rule.max = std::min<std::uint64_t>(rule.max, std::numeric_limits<unsigned>::max());
    if (number->get() < 0)
        fits(node, name, "must not be negative");
    else if (fits(node, name,
                  check_range(rule, static_cast<std::uint64_t>(number->get()), show_number)))
        *value = static_cast<unsigned>(number->get());
}

void ValueReader::read_into(const toml::node& node, std::uint64_t* value, const std::string& name) {
    std::uint64_t bytes = 0;
    if (const auto* number = node.as_integer()) {
        if (!fits(node, name, number->get() < 0 ? "must not be negative" : ""))
            return;
        bytes = static_cast<std::uint64_t>(number->get());
    } else if (const auto* text = node.as_string()) {
        const auto size = read_size(text->get());
        if (!fits(node, name, size ? std::string() : size.error().message))
            return;
        bytes = *size;
    } else {
        wrong_type(node, name, "a size", "for example \"100MB\", or a whole number of bytes");
        return;
    }
    if (fits(node, name, check_range(rule_, bytes, show_size)))
        *value = bytes;
}

void ValueReader::read_into(const toml::node& node, Seconds* value, const std::string& name) {
    Seconds duration{0};
    if (const auto* number = node.as_integer()) {
        if (!fits(node, name, number->get() < 0 ? "must not be negative" : ""))
            return;
        duration = Seconds(number->get());
    } else if (const auto* text = node.as_string()) {
        const auto read = read_duration(text->get());
        if (!fits(node, name, read ? std::string() : read.error().message))
            return;
        duration = *read;
    } else {
        wrong_type(node, name, "a duration", "for example \"30s\", or a whole number of seconds");
        return;
    }
    if (fits(node, name,
             check_range(rule_, static_cast<std::uint64_t>(duration.count()), show_seconds)))
        *value = duration;
}

void ValueReader::read_into(const toml::node& node, std::string* value, const std::string& name) {
    const auto* text = node.as_string();
    if (text == nullptr) {
        wrong_type(node, name, "a text", "it in quotes");
        return;
    }
    auto read = text->get();
    if (read.empty()) {
        const bool may_be_empty =
            rule_.may_be_empty || (value->empty() && rule_.needed == Needed::no);
        if (fits(node, name, may_be_empty ? "" : "must not be empty"))
            value->clear();
        return;
    }
    if (fits(node, name, check_text(rule_, read, base_directory_)))
        *value = std::move(read);
}

void ValueReader::read_into(const toml::node& node, Texts* value, const std::string& name) {
    const auto* list = node.as_array();
    if (list == nullptr) {
        const auto* text = node.as_string();
        wrong_type(node, name, "a list of texts",
                   text != nullptr ? "it in brackets: [" + quoted(text->get()) + "]"
                                   : "for example [\"one\", \"two\"]");
        return;
    }
    Texts texts;
    const auto count = document_.problems.size();
    for (std::size_t i = 0; i < list->size(); ++i)
        read_element((*list)[i], texts, element_name(name, i));
    if (document_.problems.size() == count)
        *value = std::move(texts);
}

void ValueReader::read_element(const toml::node& node, Texts& texts, const std::string& name) {
    document_.places.set(name, position_of(node.source()));
    const auto count = document_.problems.size();
    std::string text = "-";  // not empty, so that an empty element is refused
    read_into(node, &text, name);
    if (document_.problems.size() != count)
        return;
    // Port 0 is another port each time.
    const bool repeats = rule_.format == Format::listen && text.ends_with(":0");
    if (!repeats && std::ranges::find(texts, text) != texts.end())
        fits(node, name, quoted(text) + " is in the list twice; remove one");
    texts.push_back(std::move(text));
}

void ValueReader::read_into(const toml::node& node, Table* value, const std::string& name) {
    const auto* table = node.as_table();
    if (table == nullptr) {
        wrong_type(node, name, "a table of texts", "for example { NAME = \"value\" }");
        return;
    }
    Table read;
    const auto count = document_.problems.size();
    for (auto&& [key, entry] : *table) {
        const auto inner = name + "." + printable(key.str(), 80);
        document_.places.set(inner, position_of(entry.source()));
        if (auto fault = check_entry_name(rule_.format, key.str()); !fault.empty())
            document_.report_at(position_of(key.source()), inner, std::move(fault));
        std::string text;
        read_into(entry, &text, inner);
        read.emplace(key.str(), std::move(text));
    }
    if (document_.problems.size() == count)
        *value = std::move(read);
}

}  // namespace berth::config
