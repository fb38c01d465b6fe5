#pragma once

//
// CCurlShim.h: libcurl's variadic calls, one function for each type of argument, since Swift imports no C variadics.
// Everything else of libcurl is used as it imports.
//

#include <stdbool.h>
#include <stddef.h>

#if __has_include(<curl/curl.h>)
#include <curl/curl.h>
#else
#error "libcurl's header is missing. On Debian: apt-get install libcurl4-openssl-dev"
#endif

CURLcode curl_shim_setopt_long(CURL *handle, CURLoption option, long value);
CURLcode curl_shim_setopt_offset(CURL *handle, CURLoption option, curl_off_t value);
// libcurl copies the string.
CURLcode curl_shim_setopt_string(CURL *handle, CURLoption option, const char *value);
// The pointer is kept: error buffers, private data, the body to send.
CURLcode curl_shim_setopt_pointer(CURL *handle, CURLoption option, void *value);
// The list must live until the transfer ends.
CURLcode curl_shim_setopt_list(CURL *handle, CURLoption option, struct curl_slist *value);
// libcurl copies the bytes.
CURLcode curl_shim_setopt_blob(CURL *handle, CURLoption option, const void *bytes, size_t count);

typedef size_t (*curl_shim_data_callback)(char *bytes, size_t size, size_t count, void *context);
CURLcode curl_shim_setopt_write(CURL *handle, curl_shim_data_callback callback, void *context);
CURLcode curl_shim_setopt_header(CURL *handle, curl_shim_data_callback callback, void *context);

CURLcode curl_shim_getinfo_long(CURL *handle, CURLINFO info, long *value);
CURLcode curl_shim_getinfo_offset(CURL *handle, CURLINFO info, curl_off_t *value);
CURLcode curl_shim_getinfo_pointer(CURL *handle, CURLINFO info, void **value);

CURLMcode curl_shim_multi_setopt_long(CURLM *multi, CURLMoption option, long value);

// The result of a transfer that is done; `data` is a union, whose members Swift cannot choose from safely.
CURLcode curl_shim_message_result(const CURLMsg *message);

// CURL_WRITEFUNC_PAUSE and CURL_WRITEFUNC_ERROR are macros that do not import.
size_t curl_shim_write_pause(void);
size_t curl_shim_write_error(void);

// curl_global_init with everything but signals and memory hooks of our own. Once per process, before any thread.
CURLcode curl_shim_global_init(void);
