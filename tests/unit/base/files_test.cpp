#include "base/files.hpp"

#include "support/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <iterator>

namespace berth {
namespace {

bool is_open(int fd) {
    return ::fcntl(fd, F_GETFD) != -1;
}

std::size_t count_of(const std::string& folder) {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder),
                                                  std::filesystem::directory_iterator()));
}

TEST(Files, ADescriptorIsClosedOnce) {
    int fd = -1;
    {
        Descriptor first(::open("/dev/null", O_RDONLY | O_CLOEXEC));
        ASSERT_TRUE(first);
        fd = first.get();
        Descriptor second(std::move(first));
        EXPECT_EQ(second.get(), fd);
        EXPECT_TRUE(is_open(fd));
    }
    EXPECT_FALSE(is_open(fd));
}

TEST(Files, AReleasedDescriptorStaysOpen) {
    int fd = -1;
    {
        Descriptor owner(::open("/dev/null", O_RDONLY | O_CLOEXEC));
        fd = owner.release();
        EXPECT_FALSE(owner);
    }
    EXPECT_TRUE(is_open(fd));
    ::close(fd);
}

TEST(Files, ErrorsOfTheSystemHaveTheirKind) {
    const struct {
        int number;
        ErrorKind kind;
    } cases[] = {{ENOENT, ErrorKind::not_found},   {EEXIST, ErrorKind::conflict},
                 {EACCES, ErrorKind::forbidden},   {EPERM, ErrorKind::forbidden},
                 {ENOSPC, ErrorKind::unavailable}, {EDQUOT, ErrorKind::unavailable},
                 {EROFS, ErrorKind::unavailable},  {EIO, ErrorKind::unavailable},
                 {EINVAL, ErrorKind::internal}};
    for (const auto& [number, kind] : cases)
        EXPECT_EQ(system_error("open x", number).kind, kind) << number;
    EXPECT_EQ(system_error("open x", ENOENT).message, "open x: No such file or directory");
}

TEST(Files, AFileIsReadUpToItsLimit) {
    const test::TemporaryFolder folder;
    const auto path = folder.write("a", std::string(100, 'x'));
    EXPECT_EQ(*read_file(path), std::string(100, 'x'));
    EXPECT_TRUE(read_file(path, 100));
    const auto above = read_file(path, 99);
    ASSERT_FALSE(above);
    EXPECT_EQ(above.error().kind, ErrorKind::too_large);
    EXPECT_EQ(read_file(folder / "none").error().kind, ErrorKind::not_found);
    EXPECT_FALSE(read_file(folder.path()));
}

TEST(Files, AFileIsReplacedAsAWhole) {
    const test::TemporaryFolder folder;
    const auto path = folder / "a";
    const std::string large(300'000, 'y');
    ASSERT_TRUE(replace_file(path, "first"));
    ASSERT_TRUE(replace_file(path, large, 0640));
    EXPECT_EQ(*read_file(path), large);
    struct stat status = {};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0640U);
    EXPECT_EQ(count_of(folder.path()), 1U);  // no temporary file is left
}

TEST(Files, AReaderOfTheOldFileKeepsIt) {
    const test::TemporaryFolder folder;
    const auto path = folder.write("a", "old");
    const Descriptor reader(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    ASSERT_TRUE(replace_file(path, "new"));
    char buffer[8] = {};
    EXPECT_EQ(::read(reader.get(), buffer, sizeof buffer), 3);
    EXPECT_STREQ(buffer, "old");
}

TEST(Files, AFailedReplacementLeavesNothingBehind) {
    const test::TemporaryFolder folder;
    std::filesystem::create_directory(folder / "is_a_folder");
    EXPECT_FALSE(replace_file(folder / "is_a_folder", "x"));
    EXPECT_EQ(count_of(folder.path()), 1U);
    EXPECT_EQ(replace_file(folder / "none/a", "x").error().kind, ErrorKind::not_found);
}

TEST(Files, WritingToAClosedPipeIsAnError) {
    int ends[2] = {};
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const Descriptor reader(ends[0]);
    EXPECT_FALSE(write_all(reader.get(), "x"));  // the wrong end
    const Descriptor writer(ends[1]);
    EXPECT_TRUE(write_all(writer.get(), "xyz"));
    char buffer[8] = {};
    EXPECT_EQ(::read(reader.get(), buffer, sizeof buffer), 3);
}

}  // namespace
}  // namespace berth
