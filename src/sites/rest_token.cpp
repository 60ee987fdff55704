#include "sites/rest_token.hpp"

#include "sites/slurm_rest.hpp"

namespace berth::sites {

namespace asio = boost::asio;

namespace {

constexpr auto lifespan = std::chrono::seconds(600);
constexpr auto keep_at_least = std::chrono::seconds(10);
constexpr std::size_t output_bytes_max = 1U << 20U;

}  // namespace

RestToken::RestToken(asio::io_context& loop, const Slurm& slurm, std::string account,
                     CommandRunner& runner, Clock& clock)
    : slurm_(slurm), account_(std::move(account)), runner_(runner), clock_(clock), lanes_(loop) {}

bool RestToken::is_fresh() const {
    return !token_.empty() && clock_.steady() - made_ < lifespan / 2;
}

void RestToken::discard() {
    if (clock_.steady() - made_ >= keep_at_least)
        token_.clear();
}

asio::awaitable<Outcome> RestToken::perform(Action action) {
    net::Command command;
    command.arguments = std::move(action.command);
    command.environment = std::move(action.environment);
    command.time_limit = action.time_limit;
    command.output_bytes_max = output_bytes_max;
    auto result = co_await runner_.run(std::move(command), std::string());
    co_return outcome_of(std::move(result));
}

Async<void> RestToken::check_account() {
    if (account_checked_)
        co_return Result<void>();
    const Outcome outcome = co_await perform(slurm_.config());
    const auto slurm_user = slurm_rest::read_slurm_user(outcome);
    if (!slurm_user)
        co_return slurm_user.error();
    if (account_ == "root" || account_ == *slurm_user)
        co_return Error{ErrorKind::rejected,
                        "a token of " + account_ +
                            " may act for everybody in Slurm: run berthd as another account, or "
                            "reach slurmrestd by a unix socket"};
    account_checked_ = true;
    co_return Result<void>();
}

Async<std::string> RestToken::get() {
    if (is_fresh())
        co_return token_;
    co_await lanes_.enter("token", 1);
    const Lanes::Place place(lanes_, "token");
    if (is_fresh())  // made while this one waited
        co_return token_;
    auto checked = co_await check_account();
    if (!checked)
        co_return std::move(checked.error());
    const auto asked = clock_.steady();
    const Outcome outcome = co_await perform(slurm_.token(lifespan));
    auto token = slurm_rest::read_token(outcome);
    if (!token)
        co_return std::move(token.error());
    token_ = *std::move(token);
    made_ = asked;
    co_return token_;
}

}  // namespace berth::sites
