// mail_location: where a user's mail lies (docs/namespaces-and-locations.md).
#pragma once

#include <string>
#include <string_view>

#include "lib-base/result.h"

namespace culver {

enum class FolderLayoutKind { MaildirPlusPlus, Fs };

struct MailLocation {
    std::string mail_root;     // absolute
    std::string inbox;         // INBOX=, default mail_root
    std::string control_root;  // CONTROL=, default mail_root
    std::string index_root;    // INDEX=, default mail_root; empty = INDEX=MEMORY
    FolderLayoutKind layout = FolderLayoutKind::MaildirPlusPlus;
    std::string directory_name;                        // DIRNAME=: LAYOUT=fs keeps a folder's mail in this subdirectory
    std::string subscriptions_file = "subscriptions";  // SUBSCRIPTIONS=, below control_root
    bool has_inbox = true;                             // of the namespace with inbox = yes
    bool is_utf8 = false;                              // UTF-8: directory names are UTF-8, not modified UTF-7
    char separator() const { return layout == FolderLayoutKind::Fs ? '/' : '.'; }
};

// "maildir:~/Maildir:INDEX=...": `text` with its %variables expanded; `home` replaces "~" and may be empty.
// Errors: InvalidArgument, the detail in Dovecot's words.
Result<MailLocation> parse_mail_location(std::string_view text, const std::string& home);

// For an empty mail_location: ~/Maildir if it is there. Error NotFound: "mail_location not set and autodetection
// failed: Mail storage autodetection failed with home=..."; `setting` is "mail_location" or the namespace's location.
Result<MailLocation> detect_mail_location(const std::string& home);

}  // namespace culver
