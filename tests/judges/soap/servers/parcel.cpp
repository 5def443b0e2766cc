// Parcels as gSOAP takes them: parcel PORT
//
// The rest is generated from services/parcel.wsdl (wsdl2h, soapcpp2 -j -S), with gSOAP's own
// reader of MTOM and its plug-in for WS-Addressing, which refuses messages that are not addressed.
// What came is sent back as MTOM, with what the headers said.

#include "Parcel.nsmap"
#include "soapParcelService.h"
#include "wsaapi.h"

static std::string text(const char *said) { return said == nullptr ? "" : said; }

int ParcelService::Send(_ns1__Send *request, _ns1__SendResponse &response) {
    if (soap_wsa_check(soap) != SOAP_OK) {
        return soap->error;
    }
    response.name = request->name;
    response.action = text(soap->header->wsa5__Action);
    response.to = text(soap->header->wsa5__To);
    response.id = text(soap->header->wsa5__MessageID);
    const auto *reply = soap->header->wsa5__ReplyTo;
    response.reply = reply == nullptr ? "" : text(reply->Address);
    response.parts = 0;
    for (_xop__Include data : request->data) {
        // What came in the envelope has no id of a part.
        response.parts += data.id != nullptr ? 1 : 0;
        data.id = nullptr;
        data.type = const_cast<char *>("application/octet-stream");
        response.data.push_back(data);
    }
    return soap_wsa_reply(soap, nullptr, "urn:parcel:Parcel:SendResponse");
}

int main(int, char **arguments) {
    ParcelService parcel(SOAP_XML_STRICT | SOAP_C_UTFSTRING | SOAP_ENC_MTOM);
    soap_register_plugin(parcel.soap, soap_wsa);
    parcel.soap->bind_flags = SO_REUSEADDR;
    parcel.soap->recv_timeout = parcel.soap->send_timeout = 2;
    if (!soap_valid_socket(parcel.bind("127.0.0.1", atoi(arguments[1]), 100))) {
        parcel.soap_stream_fault(std::cerr);
        return 1;
    }
    while (soap_valid_socket(parcel.accept())) {
        parcel.serve();
        parcel.destroy();
    }
}
