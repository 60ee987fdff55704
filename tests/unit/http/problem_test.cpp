#include "http/problem.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <set>
#include <string>

namespace berth::http {
namespace {

using nlohmann::json;

constexpr ErrorKind kinds[] = {
    ErrorKind::invalid,   ErrorKind::unprocessable, ErrorKind::unauthorized,
    ErrorKind::forbidden, ErrorKind::not_found,     ErrorKind::gone,
    ErrorKind::conflict,  ErrorKind::too_large,     ErrorKind::unsupported_media,
    ErrorKind::rejected,  ErrorKind::too_many,      ErrorKind::unavailable,
    ErrorKind::timed_out, ErrorKind::internal,
};

TEST(Problem, GivesEachKindAStatusAndAName) {
    std::set<std::string_view> names;
    for (const auto kind : kinds) {
        EXPECT_GE(status_of(kind), 400);
        EXPECT_FALSE(reason_phrase(status_of(kind)).empty()) << status_of(kind);
        EXPECT_TRUE(names.insert(name_of(kind)).second) << name_of(kind);
    }
    EXPECT_EQ(status_of(ErrorKind::unprocessable), 422);
    EXPECT_EQ(status_of(ErrorKind::gone), 410);
}

TEST(Problem, IsADocumentOfRfc9457) {
    const Error error{ErrorKind::unprocessable, "slots must be at least 1", "resources.slots", 0};
    const auto document = json::parse(problem_json(error));
    EXPECT_EQ(document["type"], "urn:berth:problem:unprocessable");
    EXPECT_EQ(document["status"], 422);
    EXPECT_EQ(document["title"], "Unprocessable Content");
    EXPECT_EQ(document["detail"], "slots must be at least 1");
    EXPECT_EQ(document["field"], "resources.slots");
}

TEST(Problem, NeverSendsAnInternalMessage) {
    const auto response = problem(Error{ErrorKind::internal, "secret path /x"});
    const auto& body = std::get<std::string>(response.body);
    EXPECT_EQ(response.status, 500);
    EXPECT_EQ(body.find("secret"), std::string::npos);
    EXPECT_NE(json::parse(body)["detail"].get<std::string>().find("under the id"),
              std::string::npos);
}

TEST(Problem, CarriesTheFieldsOfItsStatus) {
    EXPECT_EQ(problem(Error{ErrorKind::unauthorized, "x"}).headers.get("WWW-Authenticate"),
              "Bearer");
    EXPECT_EQ(problem(Error{ErrorKind::too_many, "x", "", 7}).headers.get("Retry-After"), "7");
    EXPECT_EQ(problem(Error{ErrorKind::gone, "x"}).headers.get("Content-Type"),
              "application/problem+json");
}

TEST(Problem, SurvivesBytesThatAreNotUtf8) {
    EXPECT_FALSE(json::parse(problem_json(Error{ErrorKind::rejected, "bad \xFF byte"})).empty());
}

TEST(Problem, CanHaveAStatusOfItsOwn) {
    const auto response = problem(431, "invalid", "the head is too large");
    EXPECT_EQ(response.status, 431);
    EXPECT_EQ(json::parse(std::get<std::string>(response.body))["type"],
              "urn:berth:problem:invalid");
}

}  // namespace
}  // namespace berth::http
