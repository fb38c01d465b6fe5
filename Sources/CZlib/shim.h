#pragma once
#if __has_include(<zlib.h>)
#include <zlib.h>
#else
#error "zlib's header is missing. On Debian: apt-get install zlib1g-dev"
#endif
