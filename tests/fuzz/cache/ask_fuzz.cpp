// What a node asks for: the name of an object, the server of an absolute-form target, a range;
// and what an operator writes: destinations, servers, paths of sub-trees. One line each.
#include "base/text.hpp"
#include "cache/names.hpp"
#include "cache/request.hpp"
#include "cache/tree_path.hpp"
#include "fuzz/require.hpp"
#include "http/range.hpp"

namespace {

using namespace berth::cache;
using berth::fuzz::require;

void check_name(std::string_view path) {
    const auto name = name_of(path);
    require(name.kind == Kind::other || !name.repository.empty());
    require(name.repository.empty() || path.find("/" + name.repository + "/") != path.npos ||
            path.ends_with("/" + name.repository));
    require(name.repository.find_first_of("/%") == std::string::npos);
    if (name.kind == Kind::manifest)
        require(path.ends_with("/.cvmfspublished"));
    if (name.kind == Kind::whitelist)
        require(path.ends_with("/.cvmfswhitelist"));
    if (name.kind != Kind::content)
        return;
    // One name, one object: the path can be made from it again.
    const auto letter = name.letter == 0 ? std::string() : std::string(1, name.letter);
    require(path.ends_with("/" + name.repository + "/" + name.content.path() + letter));
    require(content_id_from(name.content.text()) == name.content);
}

void check_server(std::string_view authority, std::string_view destination) {
    std::vector<Destination> permitted;
    if (const auto read = read_destination(destination)) {
        require(!read->host.empty() && read->port != 0);
        permitted.push_back(*read);
    }
    const auto origin = find_origin(authority, permitted);
    if (!origin)
        return;
    const auto& host = permitted.at(0).host;
    require(origin->port == permitted[0].port);
    require(origin->special_address == (origin->host == host));
    require(origin->host == host || (host.front() == '.' && origin->host.ends_with(host)));
    require(!find_origin(authority, {}));
}

void check_url(std::string_view text) {
    const auto url = read_server_url(text);
    if (!url)
        return;
    require(url->origin.port != 0 && !url->origin.host.empty());
    require(url->base.empty() || (url->base.front() == '/' && url->base.back() != '/'));
    const auto again = read_server_url("http://" + url->origin.name() + url->base);
    require(again && again->origin == url->origin && again->base == url->base);
}

void check_range(std::string_view field) {
    constexpr std::uint64_t size = 1000;
    const auto answer = berth::http::read_range(field, size);
    if (answer.verdict == berth::http::RangeVerdict::partial)
        require(answer.range.length > 0 && answer.range.first < size &&
                answer.range.length <= size - answer.range.first);
}

void check_tree_path(std::string_view text) {
    const auto path = read_tree_path(text);
    if (!path)
        return;
    require(path->empty() || (path->front() == '/' && path->back() != '/'));
    require(*read_tree_path(*path) == *path);
    require(is_within(*path, "") && is_within(*path + "/x", *path));
    require(hash_of_path(*path) == hash_of_path(*path));
    const auto alone = without_overlaps({*path + "/a", *path, *path});
    require(alone.size() == 1 && alone[0] == *path);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    const auto lines = berth::split({reinterpret_cast<const char*>(data), size}, '\n');
    for (std::size_t i = 0; i < lines.size() && i < 20; ++i) {
        check_name(lines[i]);
        check_url(lines[i]);
        check_range(lines[i]);
        check_tree_path(lines[i]);
        if (i > 0)
            check_server(lines[i - 1], lines[i]);
    }
    return 0;
}
