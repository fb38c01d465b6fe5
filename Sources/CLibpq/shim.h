#pragma once
#if __has_include(<libpq-fe.h>)
#include <libpq-fe.h>
#else
#error "libpq's header is missing. On Debian: apt-get install libpq-dev"
#endif
