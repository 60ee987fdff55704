// berthctl's commands. Each prints for people (or JSON with --json) and returns an exit status:
// 0 done, 1 refused or not possible, 2 the daemon cannot be reached.
#pragma once

#include <nlohmann/json.hpp>

#include <chrono>
#include <string>
#include <vector>

namespace berth::ctl {

struct Options {
    std::string config_file = "/etc/berth/berth.toml";
    std::string socket;  // "" = as the configuration says
    bool json = false;
};

struct Answer {
    int status = 0;
    std::string text;
    nlohmann::json body;  // null when it is not JSON
};

// Talks to the daemon's admin socket. Ends the program with 2 and a sentence when it cannot. The
// daemon may have to wait for a slow batch system.
class Client {
public:
    explicit Client(const Options& options, std::chrono::seconds limit = std::chrono::seconds(150));
    Answer get(const std::string& path) const { return call("GET", path, ""); }
    Answer post(const std::string& path, const nlohmann::json& body = nullptr) const;

private:
    Answer call(const std::string& method, const std::string& path, const std::string& body) const;
    std::string socket_;
    std::chrono::seconds limit_;
};

// Prints the problem of a refused call; always 1.
int refused(const Answer& answer);
// Rows in aligned columns; the first one is the head.
void print_table(const std::vector<std::vector<std::string>>& rows);
std::string show(const nlohmann::json& value);  // "-" for null

int status(const Options& options);
int jobs(const Options& options, const std::string& state);
int job(const Options& options, const std::string& wanted);
int cancel(const Options& options, const std::string& wanted);
// drain, undrain, reload, flush-keys: a call without a body; `done` is what it prints.
int simple(const Options& options, const std::string& path, const char* done);
int orphans(const Options& options);
int adopt_orphans(const Options& options, const std::vector<std::string>& tags, bool all);
int cancel_orphan(const Options& options, const std::string& tag);
int stray_sessions(const Options& options);
int backup(const Options& options, const std::string& path);
int check(const Options& options, bool submit, const std::string& queue);
int inspect(const Options& options, const std::string& file);

struct TraceRequest {
    std::string issuer, subject, token_file, request_file;
    std::vector<std::string> groups, scopes;
};
int trace(const Options& options, const TraceRequest& wanted);

// Development only.
struct TokenRequest {
    std::string directory, subject, audience, scope, groups;
    unsigned lifetime_s = 3600;
};
int issuer_init(const std::string& directory, const std::string& url, const std::string& name);
int issuer_token(const TokenRequest& wanted);

}  // namespace berth::ctl
