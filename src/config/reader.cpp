#include "base/text.hpp"
#include "config/document.hpp"
#include "config/scan.hpp"
#include "config/toml.hpp"
#include "config/units.hpp"

#include <algorithm>
#include <utility>

namespace berth::config {

namespace {

std::string quoted(std::string_view text) {
    return '"' + printable(text, 80) + '"';
}

// Parts of this program's design that a later version brings; the same file may serve both.
bool is_for_later(std::string_view path) {
    return path == "staging" || path == "relay" || path == "batch.pbs";
}

class Reader {
public:
    Reader(Document& document, const std::string& base_directory)
        : document_(document), base_directory_(base_directory), sections_(all_sections()) {}

    // `path` is the table's name in the declarations, `name` the one with indices. `section` is
    // null for a table that only holds others.
    void read_table(const toml::table& table, const Section* section, const std::string& path,
                    const std::string& name, void* target);

private:
    void read_section(const toml::node& node, const Section& section, const std::string& name);
    void read_value(const toml::node& node, const Key& key, const std::string& name, void* target);
    void report_unknown(const toml::key& key, const Section* section, const std::string& path,
                        const std::string& name);
    const Section* find(std::string_view path) const;
    bool has_below(const std::string& path) const;

    Document& document_;
    const std::string& base_directory_;
    std::vector<Section> sections_;
};

const Section* Reader::find(std::string_view path) const {
    const auto found = std::ranges::find(sections_, path, &Section::path);
    return found == sections_.end() ? nullptr : &*found;
}

bool Reader::has_below(const std::string& path) const {
    return std::ranges::any_of(
        sections_, [&](const Section& section) { return section.path.starts_with(path + "."); });
}

void Reader::read_table(const toml::table& table, const Section* section, const std::string& path,
                        const std::string& name, void* target) {
    document_.places.set(name, position_of(table.source()));
    const auto inside = [](const std::string& outer, std::string_view inner) {
        return outer.empty() ? std::string(inner) : outer + "." + std::string(inner);
    };
    for (auto&& [key, node] : table) {
        const auto inner_path = inside(path, key.str());
        const auto inner_name = inside(name, printable(key.str(), 80));
        const Key* declared = nullptr;
        if (section != nullptr)
            for (const auto& one : section->keys)
                if (one.name == key.str())
                    declared = &one;
        if (declared != nullptr)
            read_value(node, *declared, inner_name, target);
        else if (const auto* inner = find(inner_path))
            read_section(node, *inner, inner_name);
        else if (has_below(inner_path) && node.is_table())
            read_table(*node.as_table(), nullptr, inner_path, inner_name, nullptr);
        else
            report_unknown(key, section, inner_path, inner_name);
    }
    if (section == nullptr)
        return;
    for (const auto& key : section->keys)
        if (key.rule.needed == Needed::yes && !table.contains(key.name))
            document_.report(inside(name, key.name), "is missing; write for example " +
                                                         std::string(key.name) + " = " +
                                                         std::string(key.example));
}

void Reader::read_section(const toml::node& node, const Section& section, const std::string& name) {
    const auto path = std::string(section.path);
    if (!section.repeated) {
        if (const auto* table = node.as_table())
            read_table(*table, &section, path, name, section.open(document_.config));
        else
            document_.report_at(position_of(node.source()), name,
                                "must be a table: write [" + path + "] on a line of its own");
        return;
    }
    const auto* list = node.as_array();
    if (list == nullptr) {
        document_.report_at(
            position_of(node.source()), name,
            "can be there more than once: write [[" + path + "]] with two brackets");
        return;
    }
    document_.places.set(name, position_of(list->source()));
    for (std::size_t i = 0; i < list->size(); ++i) {
        const auto element = element_name(name, i);
        if (const auto* table = (*list)[i].as_table())
            read_table(*table, &section, path, element, section.open(document_.config));
        else
            document_.report_at(position_of((*list)[i].source()), element,
                                "must be a table: write [[" + path + "]] on a line of its own");
    }
}

void Reader::read_value(const toml::node& node, const Key& key, const std::string& name,
                        void* target) {
    document_.places.set(name, position_of(node.source()));
    ValueReader values(document_, key.rule, base_directory_);
    values.read(node, key.slot(target), name);
}

void Reader::report_unknown(const toml::key& key, const Section* section, const std::string& path,
                            const std::string& name) {
    const auto at = position_of(key.source());
    if (is_for_later(path)) {
        document_.report_at(at, name, "is not part of this version; remove it");
        return;
    }
    const auto table = path.substr(0, path.size() - std::min(path.size(), key.str().size()));
    std::vector<std::string_view> known;
    if (section != nullptr)
        for (const auto& one : section->keys)
            known.push_back(one.name);
    for (const auto& one : sections_)
        if (one.path.starts_with(table) && one.path.size() > table.size()) {
            const auto rest = one.path.substr(table.size());
            known.push_back(rest.substr(0, rest.find('.')));
        }
    const auto meant = nearest(key.str(), known);
    std::string list;
    for (const auto one : known)
        if (list.find(std::string(one) + ",") == std::string::npos)
            list += std::string(one) + ", ";
    list.resize(list.size() - std::min<std::size_t>(list.size(), 2));
    document_.report_at(at, name,
                        meant.empty() ? "is unknown; known here are " + list
                                      : "is unknown; did you mean " + quoted(meant) + "?");
}

}  // namespace

Document read(std::string_view text, const std::string& file_name,
              const std::string& base_directory) {
    Document document{.file = file_name};
    if (auto refused = scan(text)) {
        document.report_at(refused->position, "", std::move(refused->message));
        return document;
    }
    const auto parsed = toml::parse(text, std::string_view(file_name));
    if (!parsed) {
        const auto& error = parsed.error();
        document.report_at(position_of(error.source()), "",
                           printable(error.description(), 300) + "; correct the syntax (TOML 1.0)");
        return document;
    }
    Reader reader(document, base_directory);
    reader.read_table(parsed.table(), nullptr, "", "", nullptr);
    return document;
}

}  // namespace berth::config
