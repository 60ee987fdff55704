#include "config/document.hpp"

#include "base/files.hpp"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <tuple>
#include <utility>

namespace berth::config {

namespace {

// Far above any real configuration.
constexpr std::size_t file_bytes_max = 1U << 20U;

Loaded finish(Document document) {
    std::ranges::stable_sort(document.problems, {}, [](const Problem& problem) {
        return std::tuple(problem.line, problem.column);
    });
    return Loaded{.config = std::move(document.config), .problems = std::move(document.problems)};
}

}  // namespace

Position Places::of(std::string_view name) const {
    for (;;) {
        if (const auto found = positions_.find(name); found != positions_.end())
            return found->second;
        if (name.empty())
            return Position{.line = 1, .column = 1};
        const auto end = name.find_last_of(".[");
        name = name.substr(0, end == std::string_view::npos ? 0 : end);
    }
}

void Document::report(const std::string& key, std::string message) {
    report_at(places.of(key), key, std::move(message));
}

void Document::report_at(Position position, const std::string& key, std::string message) {
    problems.push_back(Problem{.file = file,
                               .line = position.line,
                               .column = position.column,
                               .key = key,
                               .message = std::move(message)});
}

bool Document::is_faulty(const std::string& key) const {
    return std::ranges::any_of(problems, [&](const Problem& problem) {
        return problem.key == key || problem.key.starts_with(key + "[");
    });
}

std::string element_name(std::string_view list, std::size_t index) {
    return std::string(list) + "[" + std::to_string(index + 1) + "]";
}

std::string to_string(const Problem& problem) {
    std::string text = problem.file + ":";
    if (problem.line > 0)
        text += std::to_string(problem.line) + ":" + std::to_string(problem.column) + ":";
    if (!problem.key.empty())
        text += " " + problem.key + ":";
    return text + " " + problem.message;
}

Loaded parse(std::string_view text, const std::string& file_name, const std::string& base_directory,
             const std::string& own_account) {
    auto document = read(text, file_name, base_directory);
    // After a syntax error nothing is known of the rest of the file.
    if (document.places.has(""))
        check(document, own_account);
    return finish(std::move(document));
}

Loaded load_file(const std::string& path, const std::string& own_account) {
    const auto text = read_file(path, file_bytes_max);
    if (!text)
        return Loaded{.problems = {Problem{
                          .file = path,
                          .key = {},
                          .message = "the configuration cannot be read: " + text.error().message}}};
    std::error_code
        ignored;  // it fails only without a current folder; then the path stays as it is
    const auto folder = std::filesystem::absolute(path, ignored).parent_path();
    return parse(*text, path, folder.string(), own_account);
}

}  // namespace berth::config
