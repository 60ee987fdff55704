#include "app/preflight.hpp"

#include "app/settings.hpp"
#include "auth/keys.hpp"
#include "auth/lint.hpp"
#include "base/files.hpp"
#include "net/tls_context.hpp"

#include <sys/stat.h>

#include <algorithm>

namespace berth::app {

namespace {

using Findings = std::vector<Finding>;

std::string folder_of(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

// A file that the daemon makes: its folder must be there.
void check_place(const std::string& key, const std::string& path, Findings& findings) {
    struct stat info {};
    if (path.empty())
        return;
    if (::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode))
        findings.push_back({key, path + " is a folder; write the path of a file"});
    else if (::stat(folder_of(path).c_str(), &info) != 0 || !S_ISDIR(info.st_mode))
        findings.push_back({key, "the folder " + folder_of(path) + " does not exist; make it"});
}

// A folder that the daemon makes: the one above must be there.
void check_parent(const std::string& key, const std::string& path, Findings& findings) {
    struct stat info {};
    if (::stat(path.c_str(), &info) == 0 && !S_ISDIR(info.st_mode))
        findings.push_back({key, path + " is not a folder"});
    else if (::stat(folder_of(path).c_str(), &info) != 0)
        findings.push_back({key, "the folder " + folder_of(path) + " does not exist; make it"});
}

void check_session_root(const config::Config& config, Findings& findings) {
    const auto& root = config.jobs.session_root;
    struct stat info {};
    if (root == "/")
        findings.push_back({"jobs.session_root", "must be a folder of its own, not /"});
    else if (::stat(root.c_str(), &info) == 0 && (info.st_mode & S_IWOTH) != 0)
        findings.push_back({"jobs.session_root",
                            root +
                                " may be written by everybody; give Berth a folder of its own, "
                                "for example " +
                                root + "/berth"});
    else
        check_parent("jobs.session_root", root, findings);
}

void check_identities(const config::Config& config, const std::string& account,
                      Findings& findings) {
    const auto own = config.jobs.accounts == "own" ? account : std::string();
    const auto settings = auth_settings(config);
    for (auto& problem : auth::lint(settings, mapping_rules(config), own))
        findings.push_back({std::move(problem.key), std::move(problem.message), problem.fatal});
    for (std::size_t i = 0; i < config.issuers.size(); ++i) {
        const auto& file = config.issuers[i].keys_file;
        if (file.empty())
            continue;
        const auto key = "issuer[" + std::to_string(i) + "].keys_file";
        const auto text = read_file(file, auth::jwks_bytes_max);
        const auto keys = text ? auth::parse_jwks(*text) : Result<auth::KeySet>(text.error());
        if (!keys)
            findings.push_back({key, file + ": " + keys.error().message});
    }
}

void check_gateway(const config::Config& config, const std::string& account, Findings& findings) {
    const auto tls = net::TlsContext::load(config.api.certificate, config.api.key);
    if (!tls)
        findings.push_back({"api.certificate", tls.error().message});
    check_place("store.path", config.store.path, findings);
    if (config.jobs.batch == "local")
        check_parent("batch.local.spool", config.batch.local.spool, findings);
    check_session_root(config, findings);
    check_identities(config, account, findings);
}

void check_cache(const config::Config& config, Findings& findings) {
    check_parent("cache.path", config.cache.path, findings);
    check_place("cache.access_log", config.cache.access_log, findings);
    if (auto settings = cache_settings(config); !settings)
        findings.push_back({"cache.repository", settings.error().message});
}

}  // namespace

Findings preflight(const config::Config& config, const std::string& account) {
    Findings findings;
    if (!config.roles.gateway && !config.roles.cache)
        findings.push_back({"roles", "leave this daemon nothing to do; set one of them to true"});
    check_place("log.audit_file", config.log.audit_file, findings);
    check_place("admin.socket", config.admin.socket, findings);
    if (config.roles.gateway)
        check_gateway(config, account, findings);
    if (config.roles.cache)
        check_cache(config, findings);
    return findings;
}

std::string to_string(const Finding& finding) {
    return finding.key + ": " + (finding.fatal ? "" : "warning: ") + finding.message;
}

}  // namespace berth::app
