// A job from anybody: what is accepted keeps within the limits that the engine and the start
// script rely on, and a refusal says which member is at fault.
#include "api/request_json.hpp"
#include "base/strict_json.hpp"
#include "fuzz/require.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>

using namespace berth;
using fuzz::require;

namespace {

api::RequestLimits limits() {
    api::RequestLimits limits;
    limits.script_bytes_max = 512;
    limits.count_max = 100;
    return limits;
}

bool has_control(std::string_view text) {
    return std::ranges::any_of(
        text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

bool is_variable(std::string_view name) {
    constexpr std::string_view first =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";  // POSIX: and digits behind it
    const auto rest = name.find_first_not_of(first);
    return !name.empty() && rest != 0 &&
           name.find_first_not_of(std::string(first) + "0123456789") == name.npos;
}

void check_words(const jobs::Request& request) {
    for (const auto* word : {&request.name, &request.queue, &request.project,
                             &request.resources.architecture, &request.resources.gpus.model})
        require(!has_control(*word) && word->size() <= 200 && !word->starts_with(' '));
    for (const auto* word : {&request.queue, &request.project}) {
        // Goes into a batch command's arguments: never an option, never two words.
        require(!word->starts_with('-'));
        require(word->find_first_of(" ,=:;/\"'\\") == std::string::npos);
    }
}

void check_files(const jobs::Request& request) {
    std::set<std::string> seen;
    for (const auto& path : request.files) {
        require(api::is_file_path(path) && !has_control(path));
        require(!path.starts_with('/') && ("/" + path + "/").find("/../") == std::string::npos);
        require(path != "stdout" && path != "stderr" && seen.insert(path).second);
    }
    for (const auto& path : seen)  // no file is a folder of another one
        for (const auto& other : seen)
            require(!other.starts_with(path + "/"));
}

void check(const jobs::Request& request) {
    const auto& r = request.resources;
    require(request.count >= 1 && request.count <= limits().count_max);
    require(r.nodes >= 1 && r.nodes <= 65536 && r.slots <= 1'000'000 && r.gpus.count <= 1024);
    require(request.script.size() <= limits().script_bytes_max);
    require(!request.script.empty() || std::ranges::count(request.files, "script") == 1);
    for (const auto& argument : request.arguments)
        require(argument.find('\0') == std::string::npos);
    for (const auto& [name, value] : request.environment)
        require(is_variable(name) && !name.starts_with("BERTH_") &&
                value.find_first_of(std::string_view("\n\0", 2)) == value.npos);
    check_words(request);
    check_files(request);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto value = parse_strict_json(text, 16);
    if (!value)
        return 0;
    const auto request = api::read_job_request(*value, limits());
    if (request) {
        check(*request);
        return 0;
    }
    const auto& error = request.error();
    require(!error.field.empty() && !error.message.empty() && !has_control(error.field));
    require(error.kind == ErrorKind::unprocessable || error.kind == ErrorKind::too_large);
    return 0;
}
