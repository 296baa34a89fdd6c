// The base subject of RFC 5256 §2.1: a subject without "Re:", "Fwd:", "[list]" and "(fwd)", for SORT and THREAD.
#pragma once

#include <string>
#include <string_view>

namespace culver {

struct BaseSubject {
    std::string text;  // UTF-8 in upper case, blanks made single ones
    bool is_reply_or_forward = false;
};

// `value`: an unfolded Subject value; encoded words are decoded here. Linear.
BaseSubject base_subject(std::string_view value);

}  // namespace culver
