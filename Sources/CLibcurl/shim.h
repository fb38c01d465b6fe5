#pragma once
#if __has_include(<curl/curl.h>)
#include <curl/curl.h>
#else
#error "libcurl's header is missing. On Debian: apt-get install libcurl4-openssl-dev"
#endif
