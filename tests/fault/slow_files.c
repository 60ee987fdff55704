/* Preloaded into berthd: each call on a file below $SLOW_ROOT takes $SLOW_SECONDS while $SLOW_FILE exists. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define REAL(name) ((typeof(&name))dlsym(RTLD_NEXT, #name))

static void wait_for(int directory, const char *path) {
  const char *root = getenv("SLOW_ROOT"), *file = getenv("SLOW_FILE"), *seconds = getenv("SLOW_SECONDS");
  char link[64], where[4096];
  if (!root || !file || !seconds || access(file, F_OK) != 0) return;
  if (path[0] != '/' && directory >= 0) {
    snprintf(link, sizeof link, "/proc/self/fd/%d", directory);
    ssize_t length = REAL(readlink)(link, where, sizeof where - 1);
    where[length < 0 ? 0 : length] = 0;
    path = where;
  }
  if (strncmp(path, root, strlen(root)) == 0) usleep((useconds_t)(atof(seconds) * 1e6));
}

static mode_t mode_of(int flags, va_list more) { return flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0; }

int open(const char *path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  mode_t mode = mode_of(flags, more);
  va_end(more);
  wait_for(AT_FDCWD, path);
  return REAL(open)(path, flags, mode);
}
int openat(int directory, const char *path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  mode_t mode = mode_of(flags, more);
  va_end(more);
  wait_for(directory, path);
  return REAL(openat)(directory, path, flags, mode);
}
/* openat2 has no function in glibc. */
long syscall(long number, ...) {
  va_list more;
  va_start(more, number);
  long a[6];
  for (int i = 0; i < 6; ++i) a[i] = va_arg(more, long);
  va_end(more);
  if (number == SYS_openat2) wait_for((int)a[0], (const char *)a[1]);
  return REAL(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
int mkdirat(int directory, const char *path, mode_t mode) {
  wait_for(directory, path);
  return REAL(mkdirat)(directory, path, mode);
}
int renameat(int from, const char *old, int to, const char *path) {
  wait_for(to, path);
  return REAL(renameat)(from, old, to, path);
}
int linkat(int from, const char *old, int to, const char *path, int flags) {
  wait_for(to, path);
  return REAL(linkat)(from, old, to, path, flags);
}
int symlinkat(const char *text, int directory, const char *path) {
  wait_for(directory, path);
  return REAL(symlinkat)(text, directory, path);
}
ssize_t readlinkat(int directory, const char *path, char *text, size_t size) {
  wait_for(directory, path);
  return REAL(readlinkat)(directory, path, text, size);
}
int unlinkat(int directory, const char *path, int flags) {
  wait_for(directory, path);
  return REAL(unlinkat)(directory, path, flags);
}
int fstatat(int directory, const char *path, struct stat *info, int flags) {
  wait_for(directory, path);
  return REAL(fstatat)(directory, path, info, flags);
}
