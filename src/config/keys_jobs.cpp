// The keys of the work: jobs, batch systems, queues, the site.
#include "config/schema.hpp"

namespace berth::config {

namespace {

constexpr std::uint64_t day = 86400;
constexpr std::string_view batches[] = {"slurm", "local"};
constexpr std::string_view account_kinds[] = {"own", "mapped"};
constexpr std::string_view interfaces[] = {"command", "rest"};
constexpr std::string_view rest_versions[] = {"auto",    "v0.0.38", "v0.0.39", "v0.0.40",
                                              "v0.0.41", "v0.0.42", "v0.0.43", "v0.0.44"};
constexpr std::string_view histories[] = {"auto", "yes", "no"};
constexpr Rule path_rule{.format = Format::path};
constexpr Rule name_rule{.format = Format::name};
constexpr Rule name_needed{.format = Format::name, .needed = Needed::yes};

constexpr Rule between(std::uint64_t min, std::uint64_t max) {
    return {.min = min, .max = max};
}

constexpr Key jobs_keys[] = {
    {"session_root",
     slot<&Jobs::session_root>,
     {.format = Format::absolute_path, .needed = Needed::by_gateway},
     "The folder for session directories, on the file system that the worker nodes share. "
     "It must be an absolute path.",
     "\"/scratch/berth\""},
    {"cluster_path",
     slot<&Jobs::cluster_path>,
     {.format = Format::absolute_path},
     "The path of session_root on the worker nodes, where it is another one there."},
    {"node_url",
     slot<&Jobs::node_url>,
     {.format = Format::http_url},
     "How worker nodes reach the node door, for example \"http://edge.example.org:3128\". "
     "When it is empty they report through session_root only."},
    {"batch",
     slot<&Jobs::batch>,
     {.format = Format::choice, .choices = batches},
     "The batch system: Slurm, or this machine itself."},
    {"accounts",
     slot<&Jobs::accounts>,
     {.format = Format::choice, .choices = account_kinds},
     "\"own\" runs every job as the account that Berth runs as. \"mapped\" needs berth-exec, "
     "which is not part of this version."},
    {"poll_interval", slot<&Jobs::poll_interval>, between(1, 3600),
     "How often the queue of the batch system is read."},
    {"poll_interval_max", slot<&Jobs::poll_interval_max>, between(1, 86400),
     "How far the interval may grow while the batch system is slow."},
    {"commands_per_minute_max", slot<&Jobs::commands_per_minute_max>, between(1, 100'000),
     "The most commands other than submissions that Berth runs against the batch system in "
     "one minute."},
    {"submit_width", slot<&Jobs::submit_width>, between(1, 64),
     "The most submissions at one time; while the batch system answers slowly there are fewer."},
    {"attempts_max", slot<&Jobs::attempts_max>, between(1, 20),
     "How often a job is submitted when attempts fail before it started."},
    {"lookup_window", slot<&Jobs::lookup_window>, between(1, 86400),
     "How long Berth looks for a submission with an unknown outcome before it gives it up."},
    {"unknown_grace", slot<&Jobs::unknown_grace>, between(1, 86400),
     "How long a batch job may be missing from queue and history before it counts as lost."},
    {"heartbeat_interval", slot<&Jobs::heartbeat_interval>, between(1, 86400),
     "How often a running job reports that it is alive."},
    {"upload_timeout", slot<&Jobs::upload_timeout>, between(1, 30 * day),
     "How long a job waits for its files to be uploaded."},
    {"default_wall_time", slot<&Jobs::default_wall_time>, between(60, 365 * day),
     "The wall time of a job that asks for none, cut to the limit of its queue."},
    {"stdout_bytes_max", slot<&Jobs::stdout_bytes_max>, between(1024, 1ULL << 40U),
     "How much of standard output, and of standard error, of one job is kept."},
    {"keep_jobs", slot<&Jobs::keep_jobs>, between(60, 3650 * day),
     "How long finished jobs stay known."},
    {"keep_files", slot<&Jobs::keep_files>, between(60, 3650 * day),
     "How long the files of finished jobs are kept; not longer than keep_jobs."},
    {"jobs_max_total", slot<&Jobs::jobs_max_total>, between(1, 10'000'000),
     "The most unfinished jobs of all clients together."},
    {"jobs_max_per_identity", slot<&Jobs::jobs_max_per_identity>, between(1, 10'000'000),
     "The most unfinished jobs of one token subject."},
    {"session_bytes_max",
     slot<&Jobs::session_bytes_max>,
     {},
     "The most bytes that the session directories of one account's ended jobs, and its uploads, "
     "may hold: above that its new jobs and uploads are refused. 0 sets no limit."},
    {"session_files_max",
     slot<&Jobs::session_files_max>,
     {},
     "The same for files; folders and links count, too. 0 sets no limit."},
};

constexpr Key slurm_keys[] = {
    {"bin",
     slot<&BatchSlurm::bin>,
     {.format = Format::folder},
     "The folder with sbatch, squeue, sacct, scancel and scontrol."},
    {"environment",
     slot<&BatchSlurm::environment>,
     {.format = Format::variables},
     "Environment variables for these commands, for example { SLURM_CONF = "
     "\"/etc/slurm/slurm.conf\" }. Nothing else is inherited."},
    {"clusters", slot<&BatchSlurm::clusters>, name_rule,
     "The clusters of a federation or multi-cluster set-up; an empty list means the "
     "default cluster."},
    {"history",
     slot<&BatchSlurm::history>,
     {.format = Format::choice, .choices = histories},
     "Whether sacct is asked about batch jobs that the queue no longer shows: \"auto\" finds "
     "out at start."},
    {"options",
     slot<&BatchSlurm::options>,
     {.format = Format::options},
     "Further options for every sbatch, by long name without the dashes, for example { qos "
     "= \"grid\" }."},
    {"interface",
     slot<&BatchSlurm::interface>,
     {.format = Format::choice, .choices = interfaces},
     "How batch jobs are submitted and cancelled: by commands, or by requests to slurmrestd. "
     "\"rest\" needs the commands as well, for all other questions."},
    {"rest_url",
     slot<&BatchSlurm::rest_url>,
     {.format = Format::word},
     "Where slurmrestd listens: \"unix:/PATH\", for one that runs as Berth's own account, or "
     "\"http://ADDRESS:PORT\", to which Berth sends a token that it gets from scontrol; keep that "
     "on "
     "this machine, because nothing is encrypted."},
    {"rest_version",
     slot<&BatchSlurm::rest_version>,
     {.format = Format::choice, .choices = rest_versions},
     "The version of slurmrestd's interface; \"auto\" takes the newest that both sides speak. "
     "Only \"v0.0.38\" was tested."},
    {"submit_timeout", slot<&BatchSlurm::submit_timeout>, between(1, 3600),
     "How long one sbatch may take. It tries again by itself for 120 s while the controller is "
     "full; one that is ended earlier leaves a submission whose outcome is not known."},
};

constexpr Key local_keys[] = {
    {"slots", slot<&BatchLocal::slots>, between(0, 100'000),
     "The number of cores that jobs may use at one time; 0 means all of this machine."},
    {"spool", slot<&BatchLocal::spool>, path_rule,
     "The folder where running processes are recorded."},
    {"queue", slot<&BatchLocal::queue>, name_rule, "The name of the only queue."},
    {"memory_mb",
     slot<&BatchLocal::memory_mb>,
     {},
     "The memory that jobs may use together, in MB (10^6 bytes); 0 means all of this "
     "machine."},
};

constexpr Key queue_keys[] = {
    {"name", slot<&Queue::name>, name_needed, "The name that clients use.", "\"grid\""},
    {"batch_queue", slot<&Queue::batch_queue>, name_rule,
     "The name in the batch system, where it is another one."},
    {"default",
     slot<&Queue::is_default>,
     {},
     "Makes this the queue of jobs that name none and whose mapping names none."},
    {"wall_time_max", slot<&Queue::wall_time_max>, between(0, 365 * day),
     "The longest wall time; 0 leaves it to the batch system."},
    {"nodes_max", slot<&Queue::nodes_max>, between(0, 1'000'000),
     "The most nodes of one job; 0 leaves it to the batch system."},
    {"slots_max", slot<&Queue::slots_max>, between(0, 100'000'000),
     "The most cores of one job; 0 leaves it to the batch system."},
    {"memory_per_slot_max_mb", slot<&Queue::memory_per_slot_max_mb>, between(0, 100'000'000),
     "The most memory for each core, in MB; 0 leaves it to the batch system."},
    {"gpus_max", slot<&Queue::gpus_max>, between(0, 1000),
     "The most GPUs on each node; 0 leaves it to the batch system."},
    {"options",
     slot<&Queue::options>,
     {.format = Format::options},
     "Further options for submissions to this queue, in addition to those of the batch "
     "system, which they override."},
};

constexpr Key site_keys[] = {
    {"name", slot<&Site::name>, {}, "The name of the site, shown to clients."},
    {"description", slot<&Site::description>, {}, "A sentence about the site, shown to clients."},
    {"architectures", slot<&Site::architectures>, name_rule,
     "The CPU architectures of the worker nodes, for example [\"x86_64-v3\"]; an empty list "
     "leaves it to the batch system."},
    {"environment",
     slot<&Site::environment>,
     {.format = Format::variables},
     "Environment variables for every job. Those of the job itself override them."},
};

constexpr Key reachable_keys[] = {
    {"host",
     slot<&Reachable::host>,
     {.format = Format::host_or_suffix, .needed = Needed::yes},
     "The host, or \".example.org\" for every host below example.org.",
     "\"cvmfs.example.org\""},
    {"port",
     slot<&Reachable::port>,
     {.needed = Needed::yes, .min = 1, .max = 65535},
     "The port.",
     "443"},
    {"protocol",
     slot<&Reachable::protocol>,
     {.format = Format::word},
     "The protocol, for people, for example \"https\"."},
    {"note", slot<&Reachable::note>, {}, "What it is for."},
};

constexpr Section sections[] = {
    {.path = "jobs",
     .sentence = "How jobs live and what they may use.",
     .keys = jobs_keys,
     .open = [](Config& config) -> void* { return &config.jobs; }},
    {.path = "batch.slurm",
     .sentence = "How to reach Slurm.",
     .keys = slurm_keys,
     .open = [](Config& config) -> void* { return &config.batch.slurm; }},
    {.path = "batch.local",
     .sentence = "How jobs run on this machine itself.",
     .keys = local_keys,
     .open = [](Config& config) -> void* { return &config.batch.local; }},
    {.path = "queue",
     .repeated = true,
     .in_example = false,
     .sentence = "A queue that is offered to clients, and limits that narrow what the batch system "
                 "reports. With no such table every queue of the batch system is offered; with at "
                 "least one, only those that are listed.",
     .keys = queue_keys,
     .open = [](Config& config) -> void* { return &config.queues.emplace_back(); }},
    {.path = "site",
     .sentence = "What clients are told about the site.",
     .keys = site_keys,
     .open = [](Config& config) -> void* { return &config.site; }},
    {.path = "site.reachable",
     .repeated = true,
     .in_example = false,
     .sentence = "A host outside that worker nodes can reach: the site's promise to clients. There "
                 "is one table for each.",
     .keys = reachable_keys,
     .open = [](Config& config) -> void* { return &config.site.reachable.emplace_back(); }},
};

}  // namespace

std::span<const Section> jobs_sections() {
    return sections;
}

}  // namespace berth::config
