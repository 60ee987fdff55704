#include "app/ctl.hpp"
#include "config/config.hpp"
#include "net/unix_call.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace berth::ctl {

namespace {

std::string socket_of(const Options& options) {
    if (!options.socket.empty())
        return options.socket;
    // Only one key is needed, so other problems of the file do not matter here.
    return config::load_file(options.config_file).config.admin.socket;
}

}  // namespace

Client::Client(const Options& options, std::chrono::seconds limit)
    : socket_(socket_of(options)), limit_(limit) {}

Answer Client::post(const std::string& path, const nlohmann::json& body) const {
    return call("POST", path, body.is_null() ? "{}" : body.dump());
}

Answer Client::call(const std::string& method, const std::string& path,
                    const std::string& body) const {
    auto called = net::call_unix(socket_, method, path, body, limit_);
    if (!called) {
        std::fprintf(stderr,
                     "berthctl: no answer on %s: %s\nIs berthd running, and are you in the group "
                     "of the socket? (systemctl status berthd; ls -l %s)\n",
                     socket_.c_str(), called.error().message.c_str(), socket_.c_str());
        std::exit(2);
    }
    Answer answer{.status = called->status, .text = std::move(called->body), .body = {}};
    answer.body = nlohmann::json::parse(answer.text, nullptr, false);
    if (answer.body.is_discarded())
        answer.body = nullptr;
    return answer;
}

int refused(const Answer& answer) {
    const bool has_detail = answer.body.is_object() && answer.body.contains("detail");
    std::string detail = has_detail ? show(answer.body["detail"]) : answer.text;
    if (has_detail && answer.body.contains("field"))
        detail = show(answer.body["field"]) + ": " + detail;
    std::fprintf(stderr, "berthctl: %s\n", detail.c_str());
    return 1;
}

void print_table(const std::vector<std::vector<std::string>>& rows) {
    std::vector<std::size_t> widths;
    for (const auto& row : rows) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i)
            widths[i] = std::max(widths[i], row[i].size());
    }
    for (const auto& row : rows) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i) {
            line += row[i];
            if (i + 1 < row.size())
                line += std::string(widths[i] - row[i].size() + 2, ' ');
        }
        std::printf("%s\n", line.c_str());
    }
}

std::string show(const nlohmann::json& value) {
    if (value.is_null())
        return "-";
    if (value.is_string())
        return value.get<std::string>();
    if (value.is_boolean())
        return value.get<bool>() ? "yes" : "no";
    if (value.is_array()) {
        std::string text;
        for (const auto& entry : value)
            text += (text.empty() ? "" : ",") + show(entry);
        return text.empty() ? "-" : text;
    }
    return value.dump();
}

}  // namespace berth::ctl
