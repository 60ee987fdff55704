// The keys of the service itself: roles, doors, log, store, outbound proxy.
#include "config/schema.hpp"

namespace berth::config {

namespace {

constexpr std::uint64_t kib = 1ULL << 10U, mib = 1ULL << 20U, gib = 1ULL << 30U;
constexpr std::string_view levels[] = {"debug", "info", "warning", "error"};
constexpr Rule listen_rule{.format = Format::listen};
constexpr Rule path_rule{.format = Format::path};
constexpr Rule server_file{.format = Format::file, .needed = Needed::by_gateway};

constexpr Rule between(std::uint64_t min, std::uint64_t max) {
    return {.min = min, .max = max};
}

constexpr Key roles_keys[] = {
    {"gateway",
     slot<&Roles::gateway>,
     {},
     "Accepts jobs over the API and turns them into batch jobs."},
    {"cache",
     slot<&Roles::cache>,
     {},
     "The caching proxy for CVMFS and Frontier on the node door. It can be the only role."},
    {"staging",
     slot<&Roles::staging>,
     {},
     "Transfers of inputs and outputs around batch jobs; not part of this version."},
    {"relay", slot<&Roles::relay>, {}, "The way out for worker nodes; not part of this version."},
};

constexpr Key api_keys[] = {
    {"listen", slot<&Api::listen>, listen_rule,
     "The addresses and ports of the API, which is HTTPS only. Add \"[::]:8443\" for IPv6; "
     "port 0 takes a free port."},
    {"certificate", slot<&Api::certificate>, server_file,
     "The certificate chain of the API in PEM, the server's own certificate first. A "
     "SIGHUP loads it again.",
     "\"tls.crt\""},
    {"key", slot<&Api::key>, server_file,
     "The private key of the certificate in PEM, without a pass phrase.", "\"tls.key\""},
    {"audience",
     slot<&Api::audience>,
     {.format = Format::word, .needed = Needed::by_gateway},
     "The names of this service in tokens: a token is refused unless its audience has one "
     "of them. Clients use the address of the API, for example "
     "\"https://ce.example.org:8443\".",
     "[\"https://ce.example.org:8443\"]"},
    {"request_bytes_max", slot<&Api::request_bytes_max>, between(kib, gib),
     "The largest JSON body of one request."},
    {"script_bytes_max", slot<&Api::script_bytes_max>, between(kib, 64 * mib),
     "The largest script of one job."},
    {"upload_bytes_max", slot<&Api::upload_bytes_max>, between(kib, 1024 * gib),
     "The largest file that a client may upload for a job."},
    {"bulk_max", slot<&Api::bulk_max>, between(1, 100'000),
     "The most jobs in the list of one request."},
    {"count_max", slot<&Api::count_max>, between(1, 1'000'000),
     "The largest \"count\" of one job."},
    {"connections_max", slot<&Api::connections_max>, between(1, 1'000'000),
     "The most open connections of the API. Berth must be permitted to have that many "
     "files open."},
    {"connections_per_peer_max", slot<&Api::connections_per_peer_max>, between(1, 1'000'000),
     "The most open connections of one client address."},
    {"event_streams_max", slot<&Api::event_streams_max>, between(0, 1'000'000),
     "The most event streams and long polls that are open at one time."},
    {"event_streams_per_client_max", slot<&Api::event_streams_per_client_max>,
     between(0, 1'000'000),
     "The most event streams and long polls that one token subject may have open."},
    {"long_poll_max", slot<&Api::long_poll_max>, between(1, 3600),
     "The longest wait of one long poll; a client that asks for more gets this."},
    {"handshake_timeout", slot<&Api::handshake_timeout>, between(1, 600),
     "The time that a client has for the TLS handshake."},
    {"head_timeout", slot<&Api::head_timeout>, between(1, 600),
     "The time from the first byte of a request head to its last."},
    {"idle_timeout", slot<&Api::idle_timeout>, between(1, 3600),
     "The time that a connection may stay open without a request."},
    {"stall_timeout", slot<&Api::stall_timeout>, between(1, 3600),
     "The time without progress after which a body that is being sent or received is given "
     "up."},
    {"drain_timeout", slot<&Api::drain_timeout>, between(0, 3600),
     "The time that running requests have to end when Berth stops."},
};

constexpr Key observe_keys[] = {
    {"listen", slot<&Observe::listen>, listen_rule,
     "The addresses and ports for metrics and health, in plain HTTP and without access "
     "control: keep them on loopback or behind a firewall. An empty list switches this "
     "door off."},
};

constexpr Key admin_keys[] = {
    {"socket",
     slot<&Admin::socket>,
     {.format = Format::path, .may_be_empty = true},
     "The unix socket for berthctl. An empty text switches it off."},
};

constexpr Key log_keys[] = {
    {"level",
     slot<&Log::level>,
     {.format = Format::choice, .choices = levels},
     "The least important lines that are written to standard error."},
    {"audit_file", slot<&Log::audit_file>, path_rule,
     "The file for the audit log: who asked for what, and what was decided. When it is "
     "empty the lines go into the ordinary log with \"audit=1\"."},
};

constexpr Key store_keys[] = {
    {"path", slot<&Store::path>, path_rule,
     "The SQLite database that holds all state. It must be on a local disk, not on NFS."},
    {"free_bytes_min",
     slot<&Store::free_bytes_min>,
     {},
     "New jobs are refused while the file system of the database, or that of the sessions, "
     "has less free space than this."},
};

constexpr Key node_keys[] = {
    {"listen", slot<&Node::listen>, listen_rule,
     "The addresses and ports of the node door, which worker nodes see, in plain HTTP. An "
     "empty list switches it off."},
    {"networks",
     slot<&Node::networks>,
     {.format = Format::network},
     "The networks of the worker nodes; the node door serves no other address. It is "
     "required when \"listen\" is set, because an open proxy is a configuration error."},
    {"connections_max", slot<&Node::connections_max>, between(1, 1'000'000),
     "The most open connections of the node door. Berth must be permitted to have that many "
     "files open."},
    {"connections_per_peer_max", slot<&Node::connections_per_peer_max>, between(1, 1'000'000),
     "The most open connections of one worker node, or of all nodes behind one address."},
    {"idle_timeout", slot<&Node::idle_timeout>, between(1, 3600),
     "The time that a connection may stay open without a request."},
};

constexpr Key proxy_keys[] = {
    {"parent",
     slot<&Proxy::parent>,
     {.format = Format::http_url},
     "The proxy for everything that Berth itself fetches from outside, for example "
     "\"http://proxy.example.org:3128\". When it is empty Berth connects directly."},
    {"exceptions",
     slot<&Proxy::exceptions>,
     {.format = Format::host_or_suffix},
     "Hosts that are reached without the parent proxy. \".example.org\" stands for every "
     "host below example.org."},
};

constexpr Section sections[] = {
    {.path = "roles",
     .sentence = "What this daemon does.",
     .keys = roles_keys,
     .open = [](Config& config) -> void* { return &config.roles; }},
    {.path = "api",
     .sentence = "The HTTPS door for workload managers.",
     .keys = api_keys,
     .open = [](Config& config) -> void* { return &config.api; }},
    {.path = "observe",
     .sentence = "The door for monitoring.",
     .keys = observe_keys,
     .open = [](Config& config) -> void* { return &config.observe; }},
    {.path = "admin",
     .sentence = "The door for the operator.",
     .keys = admin_keys,
     .open = [](Config& config) -> void* { return &config.admin; }},
    {.path = "log",
     .sentence = "What is logged and where.",
     .keys = log_keys,
     .open = [](Config& config) -> void* { return &config.log; }},
    {.path = "store",
     .sentence = "Where state is kept.",
     .keys = store_keys,
     .open = [](Config& config) -> void* { return &config.store; }},
    {.path = "node",
     .sentence = "The door for worker nodes.",
     .keys = node_keys,
     .open = [](Config& config) -> void* { return &config.node; }},
    {.path = "proxy",
     .sentence = "The way to the outside.",
     .keys = proxy_keys,
     .open = [](Config& config) -> void* { return &config.proxy; }},
};

}  // namespace

std::span<const Section> service_sections() {
    return sections;
}

}  // namespace berth::config
