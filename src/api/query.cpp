#include "api/query.hpp"

#include "base/text.hpp"
#include "http/message.hpp"

#include <algorithm>

namespace berth::api {

Result<Query> read_query(std::string_view query, std::initializer_list<std::string_view> known,
                         std::initializer_list<std::string_view> repeatable) {
    auto parameters = http::query_values(query);
    if (!parameters)
        return parameters.error();
    Query values;
    for (auto& [name, value] : *parameters) {
        const auto shown = printable(name, 60);
        if (std::ranges::find(known, std::string_view(name)) == known.end())
            return Error{ErrorKind::invalid, "there is no query parameter \"" + shown + "\"",
                         shown.empty() ? "query" : shown};
        auto& all = values[name];
        if (!all.empty() &&
            std::ranges::find(repeatable, std::string_view(name)) == repeatable.end())
            return Error{ErrorKind::invalid, "the query parameter \"" + shown + "\" comes twice",
                         shown};
        all.push_back(std::move(value));
    }
    return values;
}

std::string first(const Query& query, const std::string& name) {
    const auto found = query.find(name);
    return found == query.end() ? std::string() : found->second.front();
}

}  // namespace berth::api
