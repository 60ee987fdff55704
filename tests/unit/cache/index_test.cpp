#include "cache/index.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

namespace berth::cache {
namespace {

Key key(unsigned number) {
    return Key::of_url("http://example.org/" + std::to_string(number));
}

std::size_t insert(Index& index, unsigned number, std::uint64_t size = 1) {
    return index.insert({.key = key(number), .size = size}).size();
}

TEST(Index, FindsWhatWasPutInAndForgetsWhatWasRemoved) {
    Index index(100'000'000);
    for (unsigned i = 0; i < 5000; ++i)
        EXPECT_EQ(insert(index, i, i), 0U);
    for (unsigned i = 0; i < 5000; i += 2)
        EXPECT_TRUE(index.remove(key(i)));
    EXPECT_FALSE(index.remove(key(0)));
    for (unsigned i = 0; i < 5000; ++i) {
        const auto found = index.find(key(i));
        ASSERT_EQ(found.has_value(), i % 2 == 1) << i;
        EXPECT_EQ(found ? found->size : i, i);
    }
    EXPECT_EQ(index.size(), 2500U);
}

TEST(Index, StaysWithinItsBytesWhateverHappens) {
    std::mt19937 generator(7);
    const auto random = [&] { return static_cast<unsigned>(generator()); };
    Index index(100'000);
    std::map<unsigned, std::uint64_t> present;
    std::uint64_t bytes = 0;
    const auto forget = [&](const Key& gone) {
        const auto found = std::ranges::find_if(
            present, [&](const auto& entry) { return key(entry.first) == gone; });
        ASSERT_NE(found, present.end());
        bytes -= found->second;
        present.erase(found);
    };
    for (int step = 0; step < 20'000; ++step) {
        const unsigned number = random() % 300;
        if (random() % 4 == 0) {
            if (index.remove(key(number)))
                forget(key(number));
        } else if (random() % 2 == 0) {
            EXPECT_EQ(index.hit(key(number)).has_value(), present.contains(number));
        } else {
            const std::uint64_t size = random() % 2000;
            bytes += size - present[number];
            present[number] = size;
            for (const auto& gone : index.insert({.key = key(number), .size = size}))
                forget(gone);
        }
        ASSERT_EQ(index.bytes(), bytes);
        ASSERT_EQ(index.size(), present.size());
        ASSERT_LE(index.bytes(), index.capacity());
    }
}

TEST(Index, AScanLeavesTheWorkingSetAlone) {
    Index index(1000);
    for (int round = 0; round < 3; ++round)
        for (unsigned i = 0; i < 500; ++i)
            if (!index.hit(key(i)))
                insert(index, i);
    for (unsigned i = 10'000; i < 30'000; ++i)
        insert(index, i);
    unsigned kept = 0;
    for (unsigned i = 0; i < 500; ++i)
        kept += index.find(key(i)).has_value() ? 1 : 0;
    EXPECT_EQ(kept, 500U);
}

TEST(Index, WhatComesBackSoonAfterItLeftIsKeptLonger) {
    Index index(100);
    for (unsigned i = 0; i < 150; ++i)
        insert(index, i);
    unsigned gone = 0;
    while (index.find(key(gone)))
        ++gone;
    insert(index, gone);  // remembered: it goes to the main queue
    for (unsigned i = 1000; i < 1080; ++i)
        insert(index, i);
    EXPECT_TRUE(index.find(key(gone)));
}

TEST(Index, PinnedEntriesStayAndWhatIsTooLargeGoesAtOnce) {
    Index index(100);
    for (unsigned i = 0; i < 50; ++i)
        index.insert({.key = key(i), .size = 1, .pinned = true});
    for (unsigned i = 100; i < 1000; ++i)
        insert(index, i);
    for (unsigned i = 0; i < 50; ++i)
        EXPECT_TRUE(index.find(key(i))) << i;
    const auto gone = index.insert({.key = key(5000), .size = 101});
    EXPECT_FALSE(index.find(key(5000)));
    EXPECT_NE(std::ranges::find(gone, key(5000)), gone.end());
    for (unsigned i = 0; i < 50; ++i)
        EXPECT_TRUE(index.find(key(i))) << "pinned, and it would not have made room";
    index.set_pinned(key(0), false);
    EXPECT_FALSE(index.set_capacity(10).empty());
    EXPECT_FALSE(index.find(key(0)));
    EXPECT_EQ(index.size(), 49U) << "only pinned ones are left";
}

TEST(Index, SuspicionIsKeptUntilItIsLifted) {
    Index index(100);
    index.insert({.key = key(1), .size = 1, .suspect = true});
    EXPECT_TRUE(index.hit(key(1))->suspect);
    index.set_suspect(key(1), false);
    EXPECT_FALSE(index.hit(key(1))->suspect);
}

TEST(Index, AnEntryTakesLessThanAHundredBytes) {
    Index index(UINT64_MAX);
    for (unsigned i = 0; i < 200'000; ++i)
        insert(index, i);
    const auto each = static_cast<double>(index.memory_bytes()) / 200'000;
    RecordProperty("bytes_per_entry", std::to_string(each));
    EXPECT_LT(each, 100);
}

}  // namespace
}  // namespace berth::cache
