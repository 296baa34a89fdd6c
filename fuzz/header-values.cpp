// Header values: addresses, encoded words, dates, MIME fields.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "lib-base/text.h"
#include "lib-mail/address.h"
#include "lib-mail/date-header.h"
#include "lib-mail/encoded-words.h"
#include "lib-mail/mime-fields.h"
#include "lib-mail/unicode-fold.h"

using namespace culver;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view value(reinterpret_cast<const char*>(data), size);
    std::vector<Address> addresses;
    parse_addresses(value, addresses);
    if (addresses.size() > 2 * value.size() + 2) std::abort();
    const std::string decoded = decode_encoded_words(value);
    if (!is_valid_utf8(decoded)) std::abort();
    if (!is_valid_utf8(fold_text(decoded))) std::abort();
    parse_date_header(value);
    const MimeFields fields = parse_mime_fields("Content-Type: " + std::string(value) + "\n", true);
    if (fields.parameters.size() > kParameterLimit) std::abort();
    decoded_parameter(fields.parameters, "name");
    return 0;
}
