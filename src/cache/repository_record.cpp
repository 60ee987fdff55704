#include "cache/repository_record.hpp"

#include "base/text.hpp"

namespace berth::cache {

namespace {

constexpr std::string_view first_line = "berth repository 1\n";

void add(std::string& text, std::string_view part) {
    text += std::to_string(part.size()) + "\n";
    text += part;
}

bool take(std::string_view& text, std::string& part) {
    const auto end = text.find('\n');
    const auto size = end == text.npos ? std::nullopt : to_number<std::size_t>(text.substr(0, end));
    if (!size || *size > text.size() - end - 1)
        return false;
    part = text.substr(end + 1, *size);
    text.remove_prefix(end + 1 + *size);
    return true;
}

}  // namespace

std::string encode(const RepositoryRecord& record) {
    std::string text(first_line);
    add(text, record.manifest);
    add(text, record.whitelist);
    add(text, record.certificate);
    return text;
}

std::optional<RepositoryRecord> decode_repository(std::string_view text) {
    RepositoryRecord record;
    if (!text.starts_with(first_line))
        return std::nullopt;
    text.remove_prefix(first_line.size());
    const bool whole = take(text, record.manifest) && take(text, record.whitelist) &&
                       take(text, record.certificate) && text.empty();
    return whole ? std::optional(std::move(record)) : std::nullopt;
}

}  // namespace berth::cache
