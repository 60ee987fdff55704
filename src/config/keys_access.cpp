// The keys of access: issuers, key cache, mappings, bans.
#include "config/schema.hpp"

namespace berth::config {

namespace {

constexpr std::uint64_t hour = 3600, day = 24 * hour;
constexpr std::string_view profiles[] = {"wlcg", "scitokens"};
constexpr Rule path_rule{.format = Format::path};
constexpr Rule file_rule{.format = Format::file};
constexpr Rule name_rule{.format = Format::name};
constexpr Rule name_rule_needed{.format = Format::name, .needed = Needed::yes};

constexpr Rule between(std::uint64_t min, std::uint64_t max) {
    return {.min = min, .max = max};
}

constexpr Key issuer_keys[] = {
    {"name",
     slot<&Issuer::name>,
     {.format = Format::name, .needed = Needed::yes},
     "A short name for this issuer, for mappings, logs and metrics.",
     "\"example\""},
    {"url",
     slot<&Issuer::url>,
     {.format = Format::https_url, .needed = Needed::yes},
     "The \"iss\" claim of its tokens, which must be equal byte for byte.",
     "\"https://tokens.example.org/\""},
    {"profile",
     slot<&Issuer::profile>,
     {.format = Format::choice, .choices = profiles},
     "How its tokens say what they permit: the WLCG profile or the SciTokens profile."},
    {"keys_file", slot<&Issuer::keys_file>, file_rule,
     "A file with its public keys as a JSON Web Key Set; Berth then asks the issuer for "
     "nothing. When it is empty the keys are found by discovery at the URL."},
    {"ca_file", slot<&Issuer::ca_file>, file_rule,
     "A PEM file with the authorities that sign the issuer's HTTPS certificate. When it is "
     "empty the system's authorities count."},
    {"internal",
     slot<&Issuer::internal>,
     {},
     "Permits that the issuer's hosts have private or loopback addresses."},
    {"max_lifetime", slot<&Issuer::max_lifetime>, between(60, 30 * day),
     "The longest lifetime (exp - iat) that its tokens may have. The WLCG profile allows 6 "
     "hours unless otherwise agreed."},
    {"expiry_leeway", slot<&Issuer::expiry_leeway>, between(0, 60),
     "How long after its expiry a token is still accepted. Version 1.0 of the WLCG profile "
     "allowed 60 seconds, later ones none."},
    {"accept_any_audience",
     slot<&Issuer::accept_any_audience>,
     {},
     "Accepts tokens with the \"any\" audience of the profile, which every service accepts. "
     "Such a token can be used by any service that it was shown to."},
    {"jwks_hosts",
     slot<&Issuer::jwks_hosts>,
     {.format = Format::host},
     "Hosts, other than that of the URL, at which the issuer may keep its keys."},
};

constexpr Key tokens_keys[] = {
    {"state_path", slot<&Tokens::state_path>, path_rule,
     "The folder where fetched keys are kept, so that a restart needs no issuer."},
    {"refresh_interval", slot<&Tokens::refresh_interval>, between(60, 6 * hour),
     "How often the keys of an issuer are fetched. A key that an issuer withdraws is "
     "refused after at most this time."},
    {"expire_after", slot<&Tokens::expire_after>, between(hour, 4 * day),
     "How long keys stay in use while their issuer cannot be reached."},
    {"system_jwks_cache",
     slot<&Tokens::system_jwks_cache>,
     {},
     "Also reads the keys that the WLCG key cache keeps on this machine."},
};

constexpr std::string_view verbs[] = {"read", "create", "modify", "cancel"};
constexpr Key mapping_keys[] = {
    {"issuer", slot<&Mapping::issuer>, name_rule_needed, "The name of an [[issuer]].",
     "\"example\""},
    {"subject",
     slot<&Mapping::subject>,
     {},
     "The \"sub\" claim that the token must have; empty for any."},
    {"groups",
     slot<&Mapping::groups>,
     {},
     "The token must have all of these groups; an empty list asks for none. A group does "
     "not stand for the groups above it. Groups count only for a token without any "
     "capability scope (WLCG profile 2.2.3)."},
    {"grants",
     slot<&Mapping::grants>,
     {.format = Format::choice, .choices = verbs},
     "What a token that this rule matches by its groups may do; it has no scopes of its own "
     "that would say so."},
    {"scopes",
     slot<&Mapping::scopes>,
     {.format = Format::word},
     "The token must have all of these scopes; an empty list asks for none."},
    {"account",
     slot<&Mapping::account>,
     {.format = Format::account, .needed = Needed::yes},
     "The local account that runs the jobs; never root.",
     "\"grid1\""},
    {"batch_account",
     slot<&Mapping::batch_account>,
     {.format = Format::word},
     "The account of the batch system that is charged; empty for its default."},
    {"queues",
     slot<&Mapping::queues>,
     {.format = Format::name},
     "The queues that may be used, the default first; an empty list permits every queue."},
    {"account_wide",
     slot<&Mapping::account_wide>,
     {},
     "Lets the client see and change all jobs of the local account, not only its own."},
    {"jobs_max", slot<&Mapping::jobs_max>, between(0, 10'000'000),
     "The most unfinished jobs of one subject; 0 sets no limit beside that of [jobs]."},
};

constexpr Key ban_keys[] = {
    {"issuer", slot<&Ban::issuer>, name_rule,
     "The name of the [[issuer]] that the ban is about; empty for every issuer.", "\"example\""},
    {"subject", slot<&Ban::subject>, {}, "The \"sub\" claim.", "\"robot-17\""},
    {"jti", slot<&Ban::jti>, {}, "The id of one token."},
    {"kid", slot<&Ban::kid>, {}, "The id of a signing key."},
};

constexpr Section sections[] = {
    {.path = "issuer",
     .repeated = true,
     .sentence = "A token issuer that Berth trusts. There is one table for each.",
     .keys = issuer_keys,
     .open = [](Config& config) -> void* { return &config.issuers.emplace_back(); }},
    {.path = "tokens",
     .sentence = "How the keys of issuers are kept.",
     .keys = tokens_keys,
     .open = [](Config& config) -> void* { return &config.tokens; }},
    {.path = "mapping",
     .repeated = true,
     .sentence = "Which token becomes which local account. The tables are tried in the order of "
                 "the file, the first that fits counts, and a token that none fits is refused.",
     .keys = mapping_keys,
     .open = [](Config& config) -> void* { return &config.mappings.emplace_back(); }},
    {.path = "ban",
     .repeated = true,
     .in_example = false,
     .sentence = "Tokens that are refused whatever the mappings say: those that fit every key of "
                 "one table. Give at least one key.",
     .keys = ban_keys,
     .open = [](Config& config) -> void* { return &config.bans.emplace_back(); }},
};

}  // namespace

std::span<const Section> access_sections() {
    return sections;
}

}  // namespace berth::config
