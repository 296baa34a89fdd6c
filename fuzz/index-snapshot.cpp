// culver.index full of rubbish, its checksum made right so that the parser behind it is reached.
#include <cstdint>
#include <cstring>
#include <string>

#include "lib-storage/index/crc32c.h"
#include "lib-storage/index/snapshot.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string bytes(reinterpret_cast<const char*>(data), size);
    for (bool mend : {false, true}) {
        if (mend) {
            if (bytes.size() < 16) bytes.resize(16);
            std::memcpy(bytes.data(), "CULVIDX1", 8);
            std::uint32_t sum = culver::crc32c(std::string_view(bytes).substr(16));
            std::memcpy(bytes.data() + 8, &sum, sizeof sum);
        }
        culver::MailboxState state;
        if (!culver::decode_snapshot(bytes, state)) continue;
        for (const culver::Message& message : state.messages()) (void)state.info(message);
        state.compact();
    }
    return 0;
}
