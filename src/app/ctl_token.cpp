#include "app/ctl.hpp"
#include "base/files.hpp"
#include "base/text.hpp"

#include <cstdio>
#include <iostream>
#include <iterator>

namespace berth::ctl {

namespace {

// The content of a file; "-" is standard input.
std::string content(const std::string& file) {
    if (file == "-")
        return {std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
    auto text = read_file(file, 1U << 20U);
    if (text)
        return std::move(*text);
    std::fprintf(stderr, "berthctl: %s\n", text.error().message.c_str());
    std::exit(1);
}

void print_rules(const nlohmann::json& rules) {
    std::vector<std::vector<std::string>> rows = {{"RULE", "ACCOUNT", "MATCHED", "WINS", "WHY"}};
    for (const auto& rule : rules)
        rows.push_back({show(rule["rule"]), show(rule["account"]), show(rule["matched"]),
                        show(rule["wins"]), show(rule["why"])});
    print_table(rows);
}

int print_explanation(const nlohmann::json& body) {
    std::vector<std::vector<std::string>> rows = {{"CHECK", "OK", "DETAIL"}};
    for (const auto& check : body["checks"])
        rows.push_back({show(check["check"]), show(check["ok"]), show(check["detail"])});
    print_table(rows);
    std::printf("\nheader: %s\nclaims: %s\n", show(body["header"]).c_str(),
                show(body["claims"]).c_str());
    if (!body["accepted"].get<bool>()) {
        std::printf("\nREFUSED: %s\n", show(body["error"]).c_str());
        return 1;
    }
    std::printf("\n");
    print_rules(body["rules"]);
    if (!body["allowed"].get<bool>()) {
        std::printf("\nREFUSED: the token is good, but no mapping rule fits\n");
        return 1;
    }
    std::printf("\nACCEPTED: account %s, may %s\n", show(body["account"]).c_str(),
                show(body["verbs"]).c_str());
    return 0;
}

}  // namespace

int inspect(const Options& options, const std::string& file) {
    const std::string token(trim(content(file)));
    const auto answer = Client(options).post("/token/inspect", {{"token", token}});
    if (answer.status != 200)
        return refused(answer);
    if (options.json) {
        std::printf("%s\n", answer.body.dump(2).c_str());
        return answer.body["accepted"].get<bool>() ? 0 : 1;
    }
    return print_explanation(answer.body);
}

int trace(const Options& options, const TraceRequest& wanted) {
    nlohmann::json body = {{"issuer", wanted.issuer},
                           {"subject", wanted.subject},
                           {"groups", wanted.groups},
                           {"scopes", wanted.scopes}};
    if (!wanted.token_file.empty())
        body["token"] = std::string(trim(content(wanted.token_file)));
    if (!wanted.request_file.empty()) {
        body["request"] = nlohmann::json::parse(content(wanted.request_file), nullptr, false);
        if (body["request"].is_discarded()) {
            std::fprintf(stderr, "berthctl: %s is not JSON\n", wanted.request_file.c_str());
            return 1;
        }
    }
    const auto answer = Client(options).post("/trace", body);
    if (answer.status != 200)
        return refused(answer);
    if (options.json) {
        std::printf("%s\n", answer.body.dump(2).c_str());
        return 0;
    }
    if (answer.body.contains("rules"))
        print_rules(answer.body["rules"]);
    if (!answer.body.contains("script"))
        return 0;
    std::printf("\naccount: %s\nqueue: %s\ncommand: %s\n\n%s\n",
                show(answer.body["account"]).c_str(), show(answer.body["queue"]).c_str(),
                show(answer.body["command"]).c_str(), show(answer.body["script"]).c_str());
    return 0;
}

}  // namespace berth::ctl
