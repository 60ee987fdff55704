// The operator's program: its commands and their arguments.
#include "app/ctl.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <functional>

using namespace berth::ctl;

namespace {

// A command that runs `action` and keeps its exit status.
CLI::App* add(CLI::App& parent, const std::string& name, const std::string& what,
              const std::function<int()>& action, int& status) {
    auto* command = parent.add_subcommand(name, what);
    command->callback([action, &status] { status = action(); });
    return command;
}

void add_jobs(CLI::App& program, Options& options, int& status) {
    static std::string state, wanted, path;
    add(
        program, "status", "the service, its dependencies and its jobs",
        [&] { return berth::ctl::status(options); }, status);
    add(
        program, "jobs", "the newest jobs of all identities", [&] { return jobs(options, state); },
        status)
        ->add_option("--state", state, "only this state");
    add(
        program, "job", "one job with its history", [&] { return job(options, wanted); }, status)
        ->add_option("job", wanted, "its id, tag or batch id")
        ->required();
    add(
        program, "cancel", "cancel a job", [&] { return cancel(options, wanted); }, status)
        ->add_option("job", wanted, "its id, tag or batch id")
        ->required();
    const auto add_simple = [&](const char* name, const char* what, const char* call,
                                const char* done) {
        add(
            program, name, what, [&options, call, done] { return simple(options, call, done); },
            status);
    };
    add_simple("drain", "take no new jobs; those that were accepted go on", "/drain",
               "no new jobs are taken; those that were accepted go on");
    add_simple("undrain", "take new jobs again", "/undrain", "new jobs are taken again");
    add_simple("reload", "read configuration and certificates again", "/reload",
               "configuration and certificates have been read again");
    add_simple("flush-keys", "fetch the keys of all issuers at once", "/keys/flush",
               "the keys of all issuers are being fetched again");
    add(
        program, "backup", "copy the store while work goes on",
        [&] { return backup(options, path); }, status)
        ->add_option("path", path, "absolute path of a new file")
        ->required();
}

void add_orphans(CLI::App& program, Options& options, int& status) {
    static std::string tag;
    static std::vector<std::string> tags;
    static bool all = false;
    auto* orphan_command = program.add_subcommand(
        "orphans", "batch jobs with a tag of ours that the store does not know");
    orphan_command->callback([orphan_command, &options, &status] {
        if (orphan_command->get_subcommands().empty())
            status = orphans(options);
    });
    add(
        *orphan_command, "sessions", "session directories of jobs that the store does not know",
        [&] { return stray_sessions(options); }, status);
    auto* adopt = add(
        *orphan_command, "adopt", "take up their jobs from the session directories",
        [&] { return adopt_orphans(options, tags, all); }, status);
    adopt->add_option("tag", tags, "tags, from either list");
    adopt->add_flag("--all", all, "those of all listed batch jobs");
    add(
        *orphan_command, "cancel", "cancel a batch job",
        [&] { return cancel_orphan(options, tag); }, status)
        ->add_option("tag", tag, "its tag")
        ->required();
}

void add_checks(CLI::App& program, Options& options, int& status) {
    static bool submit = false;
    static std::string queue, file;
    static TraceRequest wanted;
    auto* check_command = add(
        program, "check", "check the configuration and ask the batch system for its limits",
        [&] { return check(options, submit, queue); }, status);
    check_command->add_flag("--submit", submit, "also run a probe job on a node");
    check_command->add_option("--queue", queue, "queue of the probe job");

    auto* token = program.add_subcommand("token", "explain tokens");
    token->require_subcommand(1);
    add(
        *token, "inspect", "every check of a token, and what it may do here",
        [&] { return inspect(options, file); }, status)
        ->add_option("file", file, "file with the token; - is standard input")
        ->required();

    auto* trace_command = add(
        program, "trace", "dry run: every mapping rule, and the batch script",
        [&] { return trace(options, wanted); }, status);
    trace_command->add_option("--issuer", wanted.issuer, "name of an issuer in the configuration");
    trace_command->add_option("--subject", wanted.subject, "subject");
    trace_command->add_option("--group", wanted.groups, "group; may be repeated");
    trace_command->add_option("--scope", wanted.scopes, "scope; may be repeated");
    trace_command->add_option("--token", wanted.token_file, "file with a token, instead of these");
    trace_command->add_option("--request", wanted.request_file, "file with a job as JSON");
}

void add_issuer(CLI::App& program, int& status) {
    static std::string directory, url, name = "dev";
    static TokenRequest wanted;
    auto* issuer =
        program.add_subcommand("issuer", "FOR DEVELOPMENT ONLY: a token issuer in a folder");
    issuer->require_subcommand(1);
    auto* init = add(
        *issuer, "init", "make a key and its JWK set",
        [&] { return issuer_init(directory, url, name); }, status);
    init->add_option("directory", directory, "folder for the key")->required();
    init->add_option("--url", url, "issuer URL")->required();
    init->add_option("--name", name, "short name")->capture_default_str();
    auto* token = add(
        *issuer, "token", "sign a token", [&] { return issuer_token(wanted); }, status);
    token->add_option("directory", wanted.directory, "folder of the issuer")->required();
    token->add_option("--subject", wanted.subject, "sub")->required();
    token->add_option("--audience", wanted.audience, "aud")->required();
    token->add_option("--scope", wanted.scope, "scope, separated by spaces");
    token->add_option("--groups", wanted.groups, "wlcg.groups, separated by commas");
    token->add_option("--lifetime", wanted.lifetime_s, "seconds")->capture_default_str();
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App program{"berthctl: operates a Berth gateway"};
    program.set_version_flag("--version", BERTH_VERSION);
    program.require_subcommand(1);
    program.fallthrough();
    Options options;
    int status = 0;
    program.add_option("--config", options.config_file, "the daemon's configuration file")
        ->capture_default_str();
    program.add_option("--socket", options.socket, "admin socket, instead of the configuration's");
    program.add_flag("--json", options.json, "print JSON");
    add_jobs(program, options, status);
    add_orphans(program, options, status);
    add_checks(program, options, status);
    add_issuer(program, status);
    try {
        program.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return program.exit(error) == 0 ? 0 : 1;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "berthctl: %s\n", error.what());
        return 1;
    }
    return status;
}
