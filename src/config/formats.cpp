#include "config/formats.hpp"

#include "base/networks.hpp"
#include "base/text.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace berth::config {

namespace {

constexpr std::string_view lower_letters = "abcdefghijklmnopqrstuvwxyz";
constexpr std::string_view upper_letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
constexpr std::string_view digits = "0123456789";

std::string quoted(std::string_view text) {
    return '"' + printable(text, 120) + '"';
}

bool made_of(std::string_view text, std::initializer_list<std::string_view> sets) {
    return std::ranges::all_of(text, [&](char c) {
        return std::ranges::any_of(
            sets, [c](std::string_view set) { return set.find(c) != std::string_view::npos; });
    });
}

bool starts_in(std::string_view text, std::initializer_list<std::string_view> sets) {
    return !text.empty() && made_of(text.substr(0, 1), sets);
}

std::string check_choice(const Rule& rule, std::string_view text) {
    if (std::ranges::find(rule.choices, text) != rule.choices.end())
        return {};
    std::string list;
    for (const auto choice : rule.choices) {
        if (!list.empty())
            list += choice == rule.choices.back() ? " or " : ", ";
        list += quoted(choice);
    }
    const auto meant = nearest(text, rule.choices);
    return quoted(text) + " must be " + list +
           (meant.empty() ? "" : "; did you mean " + quoted(meant) + "?");
}

std::string check_name(std::string_view text) {
    if (text.size() <= 64 && starts_in(text, {lower_letters, upper_letters, digits}) &&
        made_of(text, {lower_letters, upper_letters, digits, "_.-"}))
        return {};
    return quoted(text) +
           " must be a name of at most 64 letters, digits, \"_\", \".\" and \"-\" "
           "that begins with a letter or digit";
}

std::string check_account(std::string_view text) {
    if (text == "root")
        return "jobs never run as root; name an ordinary account";
    if (text.size() <= 32 && starts_in(text, {lower_letters, "_"}) &&
        made_of(text, {lower_letters, digits, "_-"}))
        return {};
    return quoted(text) +
           " must be an account name: at most 32 lower-case letters, digits, \"_\" "
           "and \"-\", a letter or \"_\" first";
}

std::string check_host(std::string_view text, bool suffix_too) {
    if (parse_address(text))
        return {};
    auto rest = text;
    if (suffix_too && rest.starts_with('.'))
        rest.remove_prefix(1);
    bool right = rest.size() <= 253;
    for (const auto label : split(rest, '.'))
        right = right && !label.empty() && label.size() <= 63 && !label.starts_with('-') &&
                made_of(label, {lower_letters, upper_letters, digits, "-"});
    if (right)
        return {};
    return quoted(text) + " must be a host name or an IP address, without scheme and port" +
           (suffix_too ? ", or a domain such as \".example.org\"" : "");
}

// scheme://host[:port][/path]; nothing else has a meaning in a configured address.
std::string check_url(std::string_view text, std::string_view scheme) {
    const auto wrong = [&](const std::string& reason) {
        return quoted(text) + " " + reason + ": write for example \"" + std::string(scheme) +
               "://host.example.org\"";
    };
    const auto start = std::string(scheme) + "://";
    if (!text.starts_with(start))
        return wrong("must begin with " + start);
    if (text.find_first_of("?#@\\\" <>") != std::string_view::npos)
        return wrong("must have no user, query, fragment or space");
    auto authority = text.substr(start.size());
    authority = authority.substr(0, authority.find('/'));
    const auto bracket = authority.starts_with('[') ? authority.find(']') : 0;
    if (bracket == std::string_view::npos)
        return wrong("has no \"]\" after its address");
    const auto colon = authority.find(':', bracket);
    auto host = authority.substr(0, colon);
    if (colon != std::string_view::npos) {
        const auto port = to_number<unsigned>(authority.substr(colon + 1));
        if (!port || *port == 0 || *port > 65535)
            return wrong("has no port from 1 to 65535 after the \":\"");
    }
    if (authority.starts_with('[') && host.ends_with(']'))
        host = host.substr(1, host.size() - 2);
    return check_host(host, false).empty() ? std::string() : wrong("has no valid host");
}

std::string check_path(Format format, std::string& text, const std::string& base_directory) {
    if (text.front() != '/') {
        if (format == Format::absolute_path)
            return quoted(text) + " must be an absolute path: begin with \"/\"";
        if (!base_directory.empty())
            text = base_directory + (base_directory.ends_with('/') ? "" : "/") + text;
    }
    if (format != Format::file && format != Format::folder)
        return {};
    struct stat status = {};
    const bool is_file = format == Format::file;
    const std::string noun = is_file ? "the file " : "the folder ";
    if (::stat(text.c_str(), &status) != 0)
        return noun + quoted(text) + " is not there (" + std::generic_category().message(errno) +
               "); create it or correct the path";
    if (is_file ? !S_ISREG(status.st_mode) : !S_ISDIR(status.st_mode))
        return quoted(text) + (is_file ? " is not a file" : " is not a folder");
    if (::access(text.c_str(), is_file ? R_OK : X_OK) != 0)
        return noun + quoted(text) +
               " cannot be read by this user; give the daemon's account access";
    return {};
}

std::string check_destination(std::string_view text) {
    const auto colon = text.rfind(':');
    const auto port =
        colon == text.npos ? std::nullopt : to_number<unsigned>(text.substr(colon + 1));
    auto host = text.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']'))
        host = host.substr(1, host.size() - 2);
    if (port && *port > 0 && *port <= 65535 && check_host(host, true).empty())
        return {};
    return quoted(text) +
           " must be a host and a port: write for example "
           "\"s1.example.org:80\" or \".example.org:8000\"";
}

template <class Value>
std::string message_of(const Result<Value>& result) {
    return result ? std::string() : result.error().message;
}

}  // namespace

std::string check_text(const Rule& rule, std::string& text, const std::string& base_directory) {
    if (std::ranges::any_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7F; }))
        return quoted(text) + " must not have control characters; keep it on one line";
    switch (rule.format) {
        case Format::choice:
            return check_choice(rule, text);
        case Format::name:
            return check_name(text);
        case Format::account:
            return check_account(text);
        case Format::path:
        case Format::absolute_path:
        case Format::file:
        case Format::folder:
            return check_path(rule.format, text, base_directory);
        case Format::https_url:
            return check_url(text, "https");
        case Format::http_url:
            return check_url(text, "http");
        case Format::listen:
            return message_of(parse_endpoint(text));
        case Format::network:
            return message_of(Network::parse(text));
        case Format::host:
        case Format::host_or_suffix:
            return check_host(text, rule.format == Format::host_or_suffix);
        case Format::destination:
            return check_destination(text);
        case Format::word:
            return text.find(' ') == std::string::npos ? "" : quoted(text) + " must have no spaces";
        case Format::any:
        case Format::variables:
        case Format::options:
            return {};
    }
    return {};
}

std::string check_entry_name(Format format, std::string_view name) {
    if (format == Format::variables && starts_in(name, {lower_letters, upper_letters, "_"}) &&
        made_of(name, {lower_letters, upper_letters, digits, "_"}))
        return {};
    if (format == Format::options && starts_in(name, {lower_letters}) &&
        made_of(name, {lower_letters, digits, "-"}))
        return {};
    if (format == Format::variables)
        return quoted(name) +
               " is no name for an environment variable: use letters, digits and "
               "\"_\", no digit first";
    return quoted(name) +
           " is no long option: write its name in lower case without the dashes, for example "
           "\"qos\"";
}

std::string check_range(const Rule& rule, std::uint64_t value,
                        std::string (*show)(std::uint64_t value)) {
    if (value >= rule.min && value <= rule.max)
        return {};
    const std::string is = "; is " + show(value);
    if (rule.max == std::numeric_limits<std::uint64_t>::max())
        return "must be at least " + show(rule.min) + is;
    return "must be from " + show(rule.min) + " to " + show(rule.max) + is;
}

}  // namespace berth::config
