// The depot as gSOAP serves it: depot PORT
//
// The rest is generated from services/depot.wsdl (wsdl2h, soapcpp2 -j -S). In strict mode, so that
// a request that breaks the schema is a fault. What a request was read as is answered as it is.

#include "Depot.nsmap"
#include "soapDepotService.h"

int DepotService::Store(_ns1__Store *request, _ns1__StoreResponse &response) {
    response.count = static_cast<int>(request->item.size());
    response.item = request->item;
    response.note = request->note;
    return SOAP_OK;
}

int DepotService::Find(_ns1__Find *request, _ns1__FindResponse &) {
    _ns1__Missing *missing = soap_new__ns1__Missing(soap);
    missing->asked = request->id;
    missing->closest = {"A-1", "B-2"};
    SOAP_ENV__Detail *detail = soap_new_SOAP_ENV__Detail(soap);
    detail->ns1__Missing = missing;
    std::string *reason = soap_new_std__string(soap);
    *reason = "no item " + request->id + " & no more";
    soap_sender_fault(soap, reason->c_str(), nullptr);
    soap->fault->detail = detail;
    return SOAP_FAULT;
}

int DepotService::Whoami(_ns1__Whoami *, _ns1__WhoamiResponse &response) {
    if (soap->header != nullptr && soap->header->ns1__Session != nullptr) {
        response.name = soap->header->ns1__Session->token;
    }
    soap->header = nullptr;
    return SOAP_OK;
}

int main(int, char **arguments) {
    DepotService depot(SOAP_XML_STRICT | SOAP_C_UTFSTRING | SOAP_IO_KEEPALIVE);
    depot.soap->bind_flags = SO_REUSEADDR;
    depot.soap->recv_timeout = depot.soap->send_timeout = 2;
    if (!soap_valid_socket(depot.bind("127.0.0.1", atoi(arguments[1]), 100))) {
        depot.soap_stream_fault(std::cerr);
        return 1;
    }
    while (soap_valid_socket(depot.accept())) {
        depot.serve();
        depot.destroy();
    }
}
