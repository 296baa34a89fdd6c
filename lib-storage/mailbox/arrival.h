// ArrivingMessage: one message on its way into a mailbox, by APPEND, delivery or COPY.
#pragma once

#include <string>
#include <vector>

#include "lib-storage/mailbox/mailbox-impl.h"

namespace culver {

struct ArrivingMessage {
    NewMessage message;                      // uid and keywords are filled in under the lock
    std::vector<std::string> keywords;       // by name
    std::optional<TemporaryFile> temporary;  // its bytes, synced; or
    std::string link_source;                 // the path of a file that gets another name
    bool placed = false;

    StoredFile file() const { return {message.base, message.odd_info, message.place, message.disk}; }
};

}  // namespace culver
