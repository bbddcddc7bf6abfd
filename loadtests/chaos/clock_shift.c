/* Preloaded: the wall clock of a process is the true one plus the seconds in the file CLOCK_SHIFT.
 *
 * Monotonic clocks stay, as when NTP steps a clock. Waits until a wall-clock time are given to the
 * kernel in true time, so that they end when this process believes that they should.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define WALL_CLOCK_S 1000000000 /* a deadline beyond this is a date, not a time since boot */

static const volatile int64_t *shift;
static const int64_t none;

__attribute__((constructor)) static void start(void) {
  const char *path = getenv("CLOCK_SHIFT");
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  void *mapped = file < 0 ? MAP_FAILED : mmap(0, sizeof none, PROT_READ, MAP_SHARED, file, 0);
  if (file >= 0) close(file);
  shift = mapped == MAP_FAILED ? &none : mapped;
}

static int64_t seconds(void) { return shift ? *shift : 0; }

static struct timespec true_time(const struct timespec *shifted) {
  struct timespec when = *shifted;
  if (when.tv_sec > WALL_CLOCK_S) when.tv_sec -= seconds();
  return when;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int clock_gettime(clockid_t clock, struct timespec *now) {
  static __typeof__(&clock_gettime) next;
  if (!next) next = NEXT(clock_gettime);
  int status = next(clock, now);
  if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) now->tv_sec += seconds();
  return status;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  struct timespec found;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &found);
  now->tv_sec = found.tv_sec;
  now->tv_usec = found.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *out) {
  struct timespec found;
  clock_gettime(CLOCK_REALTIME, &found);
  if (out) *out = found.tv_sec;
  return found.tv_sec;
}

int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict deadline) {
  struct timespec when = true_time(deadline);
  return NEXT(pthread_cond_timedwait)(condition, mutex, &when);
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict deadline) {
  struct timespec when = true_time(deadline);
  return NEXT(sem_timedwait)(semaphore, &when);
}
