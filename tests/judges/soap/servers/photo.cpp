// Photos as gSOAP keeps them: photo PORT
//
// The rest is generated from services/photo.wsdl (wsdl2h, soapcpp2 -j -S), with gSOAP's own reader
// of attachments. The photo that came is sent back, with what its part said.

#include "Photo.nsmap"
#include "soapPhotoService.h"

static std::string text(const char *said) { return said == nullptr ? "" : said; }

int PhotoService::Keep(_ns1__Keep *request, __ns1__KeepResponse &answer) {
    answer.ns1__KeepResponse = soap_new__ns1__KeepResponse(soap);
    _ns1__KeepResponse &response = *answer.ns1__KeepResponse;
    response.title = request->title;
    response.size = -1;
    for (struct soap_multipart *part = soap->mime.list; part != nullptr; part = part->next) {
        if (text(part->type).rfind("image/", 0) != 0) {
            continue;
        }
        response.id = text(part->id);
        response.kind = text(part->type);
        response.size = static_cast<int>(part->size);
        soap_set_mime(soap, nullptr, "<answer>");
        soap_set_mime_attachment(soap, const_cast<char *>(part->ptr), part->size, SOAP_MIME_BINARY,
                                 "image/png", "<photo=2@gsoap>", nullptr, nullptr);
        break;
    }
    return SOAP_OK;
}

int main(int, char **arguments) {
    PhotoService photo(SOAP_XML_STRICT | SOAP_C_UTFSTRING);
    photo.soap->bind_flags = SO_REUSEADDR;
    photo.soap->recv_timeout = photo.soap->send_timeout = 2;
    if (!soap_valid_socket(photo.bind("127.0.0.1", atoi(arguments[1]), 100))) {
        photo.soap_stream_fault(std::cerr);
        return 1;
    }
    while (soap_valid_socket(photo.accept())) {
        photo.serve();
        photo.destroy();
    }
}
