#include "cache/tree_path.hpp"

#include <gtest/gtest.h>

namespace berth::cache {
namespace {

TEST(TreePath, AbsolutePathsAreTakenWithoutTheirLastSlash) {
    EXPECT_EQ(*read_tree_path(""), "");
    EXPECT_EQ(*read_tree_path("/"), "");
    EXPECT_EQ(*read_tree_path("/releases/v1/"), "/releases/v1");
    EXPECT_EQ(*read_tree_path("/a/.cvmfsdirtab"), "/a/.cvmfsdirtab");
    for (const auto* bad : {"a", "releases/v1", "//", "/a//b", "/a/./b", "/a/..", "/../a"})
        EXPECT_EQ(read_tree_path(bad).error().kind, ErrorKind::invalid) << bad;
    EXPECT_FALSE(read_tree_path("/" + std::string(5000, 'x')));
}

TEST(TreePath, OneIsWithinAnotherByWholeSegments) {
    EXPECT_TRUE(is_within("/a/b", ""));
    EXPECT_TRUE(is_within("", ""));
    EXPECT_TRUE(is_within("/a", "/a"));
    EXPECT_TRUE(is_within("/a/b", "/a"));
    EXPECT_FALSE(is_within("/ab", "/a"));
    EXPECT_FALSE(is_within("/a", "/a/b"));
    EXPECT_FALSE(is_within("", "/a"));
}

TEST(TreePath, WhatLiesWithinAnotherIsNotWalkedTwice) {
    using Paths = std::vector<std::string>;
    EXPECT_EQ(without_overlaps({"/b", "/a/x", "/a", "/ab", "/b"}), (Paths{"/a", "/ab", "/b"}));
    EXPECT_EQ(without_overlaps({"/a", "/a-b", "/a/c"}), (Paths{"/a", "/a-b"}));
    EXPECT_EQ(without_overlaps({"/a", ""}), Paths{""});
    EXPECT_TRUE(without_overlaps({}).empty());
}

// From the root catalog of a repository that cvmfs_server 2.12 made.
TEST(TreePath, HashesAreThoseOfRealCatalogs) {
    EXPECT_EQ(hash_of_path(""), (PathHash{338333539836370388, 9098107892288553193}));
    EXPECT_EQ(hash_of_path("/releases"), (PathHash{-8023590003111158617, -7166315183185348415}));
    EXPECT_EQ(hash_of_path("/bin/run.sh"), (PathHash{-7519258957599418798, 1283672692405067570}));
}

}  // namespace
}  // namespace berth::cache
