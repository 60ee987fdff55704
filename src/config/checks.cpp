// What has to be right between values. Single values are checked where they are read.
#include "base/networks.hpp"
#include "base/text.hpp"
#include "config/document.hpp"
#include "config/schema.hpp"
#include "config/units.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

namespace berth::config {

namespace {

std::string quoted(std::string_view text) {
    return '"' + printable(text, 80) + '"';
}

std::string key_of(std::string_view list, std::size_t index, std::string_view key) {
    return element_name(list, index) + "." + std::string(key);
}

// Written as an empty list: a list with a faulty element is empty too, but is reported already.
bool is_empty_list(const Document& document, const std::string& key, const Texts& value) {
    return value.empty() && document.places.has(key) &&
           !document.places.has(element_name(key, 0)) && !document.is_faulty(key);
}

void check_roles(Document& document) {
    const auto& roles = document.config.roles;
    const std::pair<const char*, bool> later[] = {
        {"roles.staging", roles.staging},
        {"roles.relay", roles.relay},
    };
    for (const auto& [key, on] : later)
        if (on)
            document.report(key, "is not part of this version; write false");
}

void check_cache(Document& document) {
    const auto& config = document.config;
    const auto& repositories = config.cache_repositories;
    if (config.node.listen.empty() && !document.is_faulty("node.listen"))
        document.report("roles.cache",
                        "needs the node door; write [node] listen, for example "
                        "[\"0.0.0.0:3128\"], and networks");
    if (config.cache.destinations.empty() && repositories.empty() &&
        !document.is_faulty("cache.destinations"))
        document.report("roles.cache",
                        "has nothing to fetch; add [[cache.repository]] tables or [cache] "
                        "destinations");
    std::map<std::string, std::string> seen;
    for (std::size_t i = 0; i < repositories.size(); ++i) {
        const auto key = element_name("cache.repository", i);
        if (const auto [entry, is_new] = seen.emplace(repositories[i].name, key);
            !is_new && !repositories[i].name.empty())
            document.report(key + ".name", quoted(repositories[i].name) + " is also the name of " +
                                               entry->second + "; names must differ");
        if (is_empty_list(document, key + ".servers", repositories[i].servers))
            document.report(key + ".servers", "needs at least one server");
        if (!repositories[i].keep_warm.empty() && repositories[i].public_keys.empty() &&
            !document.is_faulty(key + ".public_keys"))
            document.report(key + ".keep_warm",
                            "needs public_keys: only a verified manifest says what to bring");
    }
}

// The keys that are declared with Needed::by_gateway.
void check_needed(Document& document) {
    for (const auto& section : all_sections())
        for (const auto& key : section.keys) {
            const auto name = std::string(section.path) + "." + std::string(key.name);
            if (key.rule.needed == Needed::by_gateway && !document.places.has(name))
                document.report(name, "is needed by the gateway; write " + std::string(key.name) +
                                          " = " + std::string(key.example) + " under [" +
                                          std::string(section.path) + "]");
        }
}

void check_gateway(Document& document) {
    const auto& config = document.config;
    check_needed(document);
    if (is_empty_list(document, "api.listen", config.api.listen))
        document.report("api.listen",
                        "the gateway needs an address; write for example "
                        "[\"0.0.0.0:8443\"]");
    if (is_empty_list(document, "api.audience", config.api.audience))
        document.report("api.audience",
                        "the gateway needs a name of this service; write for example "
                        "[\"https://ce.example.org:8443\"]");
    if (config.issuers.empty())
        document.report("issuer", "the gateway needs an issuer of tokens; add a table [[issuer]]");
    if (config.mappings.empty())
        document.report("mapping",
                        "without a mapping every token is refused; add a table "
                        "[[mapping]]");
}

// One address cannot be listened at twice. Port 0 is another port each time.
void check_listeners(Document& document) {
    const auto& config = document.config;
    const std::pair<std::string, const Texts*> doors[] = {
        {"api.listen", &config.api.listen},
        {"observe.listen", &config.observe.listen},
        {"node.listen", &config.node.listen}};
    std::map<std::string, std::string> taken;
    for (const auto& [door, addresses] : doors) {
        if (door == "api.listen" && !config.roles.gateway)
            continue;
        for (std::size_t i = 0; i < addresses->size(); ++i) {
            const auto& address = (*addresses)[i];
            if (address.ends_with(":0"))
                continue;
            const auto key = element_name(door, i);
            const auto [entry, is_new] = taken.emplace(address, key);
            if (!is_new)
                document.report(key, quoted(address) + " is also " + entry->second +
                                         "; give each door a port of its own");
        }
    }
}

void check_node(Document& document) {
    const auto& config = document.config;
    const bool listens = !config.node.listen.empty();
    if (listens && (!document.places.has("node.networks") ||
                    is_empty_list(document, "node.networks", config.node.networks)))
        document.report("node.networks",
                        "is needed with node.listen, because an open proxy is a configuration "
                        "error; write the networks of the worker nodes, for example "
                        "[\"10.1.0.0/16\"]");
    for (std::size_t i = 0; i < config.node.networks.size(); ++i) {
        const auto network = Network::parse(config.node.networks[i]);
        if (network && network->is_everything())
            document.report(element_name("node.networks", i),
                            "is every address, and an open proxy is a configuration error; write "
                            "the networks of the worker nodes");
    }
    if (!config.jobs.node_url.empty() && !listens && !document.is_faulty("node.listen"))
        document.report("jobs.node_url", "has no node door to lead to; set node.listen");
}

// Reported at the one that the file sets: the smaller when it sets both.
void check_order(Document& document, const std::string& smaller, Seconds small,
                 const std::string& larger, Seconds large) {
    if (small <= large)
        return;
    const auto advice = "; change one of them";
    if (document.places.has(smaller))
        document.report(smaller, "must not be longer than " + larger + " (" + show_duration(small) +
                                     " and " + show_duration(large) + ")" + advice);
    else
        document.report(larger, "must not be shorter than " + smaller + " (" +
                                    show_duration(large) + " and " + show_duration(small) + ")" +
                                    advice);
}

// Options that say how Berth itself finds, starts and reads back its batch jobs.
void check_options(Document& document, const std::string& name, const Table& options) {
    static constexpr auto own = std::to_array<std::string_view>(
        {"array",      "begin",     "chdir",  "clusters",        "comment",   "cpus-per-task",
         "dependency", "error",     "export", "export-file",     "gid",       "gpus-per-node",
         "help",       "hold",      "input",  "job-name",        "mem",       "mem-per-cpu",
         "no-requeue", "nodes",     "ntasks", "ntasks-per-node", "open-mode", "output",
         "parsable",   "partition", "quiet",  "requeue",         "signal",    "test-only",
         "time",       "uid",       "usage",  "version",         "wait",      "wrap"});
    for (const auto& [option, value] : options)
        if (std::ranges::find(own, option) != own.end())
            document.report(name + "." + option, "Berth sets --" + option + " itself; remove it");
}

void check_rest(Document& document) {
    const auto& slurm = document.config.batch.slurm;
    const auto& url = slurm.rest_url;
    const std::string_view http = "http://";
    const bool is_http = url.starts_with(http) && url.find('/', http.size()) == url.npos &&
                         parse_endpoint(url.substr(http.size()));
    if (slurm.interface != "rest" && url.empty())
        return;
    if (!url.starts_with("unix:/") && !is_http)
        document.report("batch.slurm.rest_url",
                        "must say where slurmrestd listens; write for example "
                        "\"unix:/run/slurmrestd.sock\" or \"http://127.0.0.1:6820\"");
}

void check_jobs(Document& document) {
    const auto& config = document.config;
    const auto& jobs = config.jobs;
    if (jobs.accounts == "mapped")
        document.report("jobs.accounts",
                        "\"mapped\" needs berth-exec, not part of this version; write \"own\"");
    check_order(document, "jobs.poll_interval", jobs.poll_interval, "jobs.poll_interval_max",
                jobs.poll_interval_max);
    check_order(document, "jobs.keep_files", jobs.keep_files, "jobs.keep_jobs", jobs.keep_jobs);
    check_options(document, "batch.slurm.options", config.batch.slurm.options);
    check_rest(document);
}

void check_queues(Document& document) {
    const auto& queues = document.config.queues;
    std::map<std::string, std::string> seen;
    std::string first_default;
    for (std::size_t i = 0; i < queues.size(); ++i) {
        const auto& queue = queues[i];
        if (const auto [entry, is_new] = seen.emplace(queue.name, element_name("queue", i));
            !is_new && !queue.name.empty())
            document.report(key_of("queue", i, "name"), quoted(queue.name) +
                                                            " is also the name of " +
                                                            entry->second + "; names must differ");
        if (queue.is_default && !first_default.empty())
            document.report(key_of("queue", i, "default"),
                            first_default + " is the default already; set one only");
        else if (queue.is_default)
            first_default = element_name("queue", i);
        check_options(document, key_of("queue", i, "options"), queue.options);
    }
}

void check_tokens(Document& document) {
    const auto& config = document.config;
    std::map<std::string, std::string> names, urls;
    const auto once = [&](auto& seen, std::size_t i, std::string_view key,
                          const std::string& value) {
        if (const auto [entry, is_new] = seen.emplace(value, element_name("issuer", i));
            !is_new && !value.empty())
            document.report(key_of("issuer", i, key), quoted(value) + " is also the " +
                                                          std::string(key) + " of " +
                                                          entry->second + "; remove one");
    };
    for (std::size_t i = 0; i < config.issuers.size(); ++i) {
        once(names, i, "name", config.issuers[i].name);
        once(urls, i, "url", config.issuers[i].url);
    }
    check_order(document, "tokens.refresh_interval", config.tokens.refresh_interval,
                "tokens.expire_after", config.tokens.expire_after);
}

// With no known name, or one that could not be read, the fault is not here.
void check_known(Document& document, const std::string& key, const std::string& value,
                 const std::vector<std::string_view>& known, const std::string& table) {
    const auto has = [&](std::string_view one) {
        return std::ranges::find(known, one) != known.end();
    };
    if (value.empty() || known.empty() || has("") || has(value))
        return;
    const auto meant = nearest(value, known);
    document.report(key, quoted(value) + " is not the name of " + table +
                             (meant.empty() ? "; add that table or correct the name"
                                            : "; did you mean " + quoted(meant) + "?"));
}

void check_mappings(Document& document, const std::string& own_account) {
    const auto& config = document.config;
    std::vector<std::string_view> issuers, queues;
    for (const auto& issuer : config.issuers)
        issuers.push_back(issuer.name);
    for (const auto& queue : config.queues)
        queues.push_back(queue.name);
    const auto own =
        !own_account.empty() || config.mappings.empty() ? own_account : config.mappings[0].account;
    for (std::size_t i = 0; i < config.mappings.size(); ++i) {
        const auto& mapping = config.mappings[i];
        check_known(document, key_of("mapping", i, "issuer"), mapping.issuer, issuers,
                    "an [[issuer]]");
        for (std::size_t q = 0; q < mapping.queues.size(); ++q)
            check_known(document, element_name(key_of("mapping", i, "queues"), q),
                        mapping.queues[q], queues, "a [[queue]]");
        if (config.jobs.accounts == "own" && !own.empty() && !mapping.account.empty() &&
            mapping.account != own)
            document.report(key_of("mapping", i, "account"),
                            "with jobs.accounts = \"own\" every job runs as the account of berthd; "
                            "write " +
                                quoted(own) + " instead of " + quoted(mapping.account));
    }
    for (std::size_t i = 0; i < config.bans.size(); ++i) {
        const auto& ban = config.bans[i];
        check_known(document, key_of("ban", i, "issuer"), ban.issuer, issuers, "an [[issuer]]");
        if (ban == Ban())
            document.report(element_name("ban", i),
                            "bans nothing; write issuer, subject, jti or kid");
    }
}

}  // namespace

void check(Document& document, const std::string& own_account) {
    check_roles(document);
    if (document.config.roles.gateway)
        check_gateway(document);
    if (document.config.roles.cache)
        check_cache(document);
    check_listeners(document);
    check_node(document);
    check_jobs(document);
    check_queues(document);
    check_tokens(document);
    check_mappings(document, own_account);
}

}  // namespace berth::config
