#include "config/schema.hpp"
#include "config/units.hpp"

namespace berth::config {

namespace {

constexpr std::string_view introduction = R"(# Configuration

<!-- Made by berth-config-docs from the declarations in src/config; do not edit. -->

`berthd --config FILE` reads one file in [TOML 1.0](https://toml.io/en/v1.0.0). `berthd --config FILE --check-config`
reads it, prints every problem with line and column, and exits. A key or table that is not described here is a problem.
`config/berth.toml` is an example with every key.

- A **duration** is a text such as `"30s"`, `"5m"`, `"2h"` or `"14d"`, or a whole number of seconds.
- A **size** is a text such as `"100MB"` or `"2GiB"`, or a whole number of bytes. `kB`, `MB`, `GB` and `TB` are powers
  of 1000; `KiB`, `MiB`, `GiB` and `TiB` are powers of 1024.
- A **path** that does not begin with `/` starts at the folder of the configuration file.
- An **address** is an IP address and a port: `"127.0.0.1:8443"`, `"[::1]:8443"`.
- A **network** is an IP address and a prefix length: `"10.1.0.0/16"`, `"2001:db8::/32"`; or one address.
- A table that is written with two brackets, such as `[[issuer]]`, can be there more than once.
  Problems count such tables from 1: `issuer[2].url` is the key `url` of the second `[[issuer]]`.
)";

struct KindOf {
    std::string operator()(const bool*) const { return "true or false"; }
    std::string operator()(const unsigned*) const { return "number"; }
    std::string operator()(const std::uint64_t*) const { return "size"; }
    std::string operator()(const Seconds*) const { return "duration"; }
    std::string operator()(const std::string*) const { return text(); }
    std::string operator()(const Texts*) const { return "list of: " + text(); }
    std::string operator()(const Table*) const {
        return format == Format::variables ? "table of variables" : "table of options";
    }
    std::string text() const {
        switch (format) {
            case Format::any:
            case Format::choice:
            case Format::variables:
            case Format::options:
                return "text";
            case Format::name:
                return "name";
            case Format::account:
                return "account";
            case Format::path:
                return "path";
            case Format::absolute_path:
                return "absolute path";
            case Format::file:
                return "file that exists";
            case Format::folder:
                return "folder that exists";
            case Format::https_url:
                return "https URL";
            case Format::http_url:
                return "http URL";
            case Format::listen:
                return "address";
            case Format::network:
                return "network";
            case Format::host:
                return "host";
            case Format::host_or_suffix:
                return "host or .domain";
            case Format::destination:
                return "host or .domain, and port";
            case Format::word:
                return "text without spaces";
        }
        return {};
    }

    Format format;
};

std::string show_limit(const Slot& slot, std::uint64_t value) {
    if (std::holds_alternative<Seconds*>(slot))
        return show_duration(Seconds(static_cast<Seconds::rep>(value)));
    return std::holds_alternative<std::uint64_t*>(slot) ? show_size(value) : std::to_string(value);
}

// "" when every value of the kind is permitted.
std::string range(const Rule& rule, const Slot& slot) {
    std::string text;
    for (const auto choice : rule.choices)
        text += (text.empty() ? "`\"" : ", `\"") + std::string(choice) + "\"`";
    if (rule.max != std::numeric_limits<std::uint64_t>::max())
        text = show_limit(slot, rule.min) + " to " + show_limit(slot, rule.max);
    return text;
}

std::string default_of(const Rule& rule, const Slot& slot) {
    if (rule.needed == Needed::yes)
        return "required";
    if (rule.needed == Needed::by_gateway)
        return "required by the gateway";
    return "`" + to_toml(slot) + "`";
}

}  // namespace

std::string manual() {
    std::string text(introduction);
    for (const auto& section : all_sections()) {
        const auto path = std::string(section.path);
        text += "\n## " + (section.repeated ? "[[" + path + "]]" : "[" + path + "]") + "\n\n";
        text += std::string(section.sentence) + "\n\n";
        text += "| key | value | default | meaning |\n|---|---|---|---|\n";
        Config defaults;
        void* const target = section.open(defaults);
        for (const auto& key : section.keys) {
            const auto slot = key.slot(target);
            const auto limits = range(key.rule, slot);
            text += "| `" + std::string(key.name) + "` | " +
                    std::visit(KindOf{key.rule.format}, slot) +
                    (limits.empty() ? "" : "; " + limits) + " | " + default_of(key.rule, slot) +
                    " | " + std::string(key.sentence) + " |\n";
        }
    }
    return text;
}

}  // namespace berth::config
