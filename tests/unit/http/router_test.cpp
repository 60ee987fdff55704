#include "http/router.hpp"

#include <gtest/gtest.h>

#include <string>

namespace berth::http {
namespace {

Router<int> make_router() {
    Router<int> router;
    router.add("GET", "/v1/jobs", 1);
    router.add("POST", "/v1/jobs", 2);
    router.add("GET", "/v1/jobs/{id}", 3);
    router.add("GET", "/v1/jobs/{id}/files/{path...}", 4);
    router.add("HEAD", "/v1/special", 5);
    router.add("GET", "/v1/special", 6);
    return router;
}

int found(std::string_view method, std::string_view path) {
    const auto router = make_router();
    const auto match = router.find(method, path);
    return match.endpoint != nullptr ? *match.endpoint : 0;
}

TEST(Router, FindsTheEndpointOfMethodAndPath) {
    EXPECT_EQ(found("GET", "/v1/jobs"), 1);
    EXPECT_EQ(found("POST", "/v1/jobs"), 2);
    EXPECT_EQ(found("GET", "/v1/jobs/abc"), 3);
    EXPECT_EQ(found("GET", "/v1/jobs/abc/files/a/b"), 4);
}

TEST(Router, GivesTheParameters) {
    const auto router = make_router();
    const auto match = router.find("GET", "/v1/jobs/abc/files/out/stdout");
    EXPECT_EQ(match.parameters.at("id"), "abc");
    EXPECT_EQ(match.parameters.at("path"), "out/stdout");
    EXPECT_EQ(match.pattern, "/v1/jobs/{id}/files/{path...}");
    EXPECT_EQ(router.find("GET", "/v1/jobs/abc/files/").parameters.at("path"), "");
}

TEST(Router, MatchesWholePathsOnly) {
    for (const std::string path : {"/v1", "/v1/", "/v1/job", "/v1/jobs/", "/v1/jobs/a/", "/V1/jobs",
                                   "/v1/jobs/a/files", "/v1/jobs//files/x", "", "v1/jobs", "/"})
        EXPECT_EQ(found("GET", path), 0) << path;
}

TEST(Router, NamesTheAllowedMethods) {
    const auto match = make_router().find("DELETE", "/v1/jobs");
    EXPECT_EQ(match.endpoint, nullptr);
    EXPECT_EQ(match.allowed, (std::vector<std::string>{"GET", "POST"}));
    EXPECT_TRUE(make_router().find("GET", "/nowhere").allowed.empty());
}

TEST(Router, ServesHeadByGetUnlessItHasItsOwnRoute) {
    EXPECT_EQ(found("HEAD", "/v1/jobs"), 1);
    EXPECT_EQ(found("HEAD", "/v1/special"), 5);
    EXPECT_EQ(make_router().find("HEAD", "/v1/jobs/abc").parameters.at("id"), "abc");
}

TEST(MatchPath, TakesTheRootLiterally) {
    EXPECT_TRUE(match_path("/", "/"));
    EXPECT_FALSE(match_path("/", "/a"));
    EXPECT_EQ(match_path("/{all...}", "/a/b")->at("all"), "a/b");
    EXPECT_EQ(match_path("/{all...}", "/")->at("all"), "");
}

}  // namespace
}  // namespace berth::http
