// The form of a key's declaration. Everything else in this room is made from these tables: the
// reader, the checks of single values, the manual and the example.
#pragma once

#include "config/config.hpp"

#include <limits>
#include <span>
#include <variant>

namespace berth::config {

// How a text is read. In lists and tables it is the form of each element.
enum class Format {
    any,
    choice,         // one of Rule::choices
    name,           // a short name: letters, digits, "_", ".", "-"
    account,        // a local account, never root
    path,           // made absolute
    absolute_path,  // must be written with a leading "/"
    file,           // made absolute; must exist and be readable
    folder,         // made absolute; must exist
    https_url,
    http_url,
    listen,   // ADDRESS:PORT
    network,  // ADDRESS/PREFIX
    host,
    host_or_suffix,  // a host, or ".example.org" for all below it
    destination,     // HOST:PORT, or .DOMAIN:PORT for all below it
    word,            // without spaces
    variables,       // a table: names are those of environment variables
    options,         // a table: names are those of long options
};

enum class Needed { no, yes, by_gateway };

struct Rule {
    Format format = Format::any;
    Needed needed = Needed::no;
    bool may_be_empty = false;  // of a text that has a default
    // Of numbers, sizes in bytes and durations in seconds.
    std::uint64_t min = 0;
    std::uint64_t max = std::numeric_limits<std::uint64_t>::max();
    std::span<const std::string_view> choices = {};
};

// Where a value goes; the alternative says how it is written.
using Slot = std::variant<bool*, unsigned*, std::uint64_t*, Seconds*, std::string*, Texts*, Table*>;

struct Key {
    std::string_view name;
    Slot (*slot)(void* section);
    Rule rule;
    std::string_view sentence;
    std::string_view example = {};  // in TOML; for keys without a useful default
};

struct Section {
    std::string_view path;   // "api", "batch.slurm"
    bool repeated = false;   // written [[path]]
    bool in_example = true;  // false: the example shows it as a comment
    std::string_view sentence;
    std::span<const Key> keys;
    void* (*open)(Config& config);  // the section's struct; a new one each time when repeated
};

// In the order of the manual.
std::span<const Section> service_sections();
std::span<const Section> jobs_sections();
std::span<const Section> access_sections();
std::span<const Section> cache_sections();
std::vector<Section> all_sections();

// A value as it is written in a file.
std::string to_toml(const Slot& slot);

namespace detail {
template <class>
struct MemberOf;
template <class C, class V>
struct MemberOf<V C::*> {
    using Class = C;
};
}  // namespace detail

// For the tables: the function that finds `member` in its struct.
template <auto member>
Slot slot(void* section) {
    using Class = typename detail::MemberOf<decltype(member)>::Class;
    return Slot(&(static_cast<Class*>(section)->*member));
}

}  // namespace berth::config
