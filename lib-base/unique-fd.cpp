#include "lib-base/unique-fd.h"

namespace culver {

Status UniqueFd::close(std::string_view what) {
    if (fd_ < 0) return {};
    if (::close(release()) != 0) return fail_errno("close(" + std::string(what) + ")");
    return {};
}

}  // namespace culver
