<?php
// The depots as PHP's SoapServer serves them, from the WSDL documents beside this folder:
//
//   php -S 127.0.0.1:PORT depot.php      /literal, /encoded, /rpc and /rpc12
//
// What a request was read as is answered as it is: PHP's own reader and writer stand between.

ini_set('soap.wsdl_cache_enabled', '0');
ini_set('display_errors', 'stderr');

class Item {}
class Perishable extends Item {}
class Machine extends Item {}

class Literal {
    private string $token = '';

    function Session($session) {
        $this->token = $session->token;
    }

    function Store($request) {
        $items = is_array($request->item) ? $request->item : [$request->item];
        $answer = ['count' => count($items), 'item' => $items];
        if (isset($request->note)) {
            $answer['note'] = $request->note;
        }
        return $answer;
    }

    function Find($request) {
        $detail = ['Missing' => ['asked' => $request->id, 'closest' => ['A-1', 'B-2']]];
        throw new SoapFault('Client', "no item {$request->id} & no more", null, $detail['Missing'], 'Missing');
    }

    function Whoami($request) {
        return ['name' => $this->token];
    }
}

class Encoded {
    function store($items, $note) {
        return $items;
    }

    function pack($box) {
        return $box;
    }

    function sum($a, $b) {
        return $a + $b;
    }

    // One object twice: PHP writes it once, and refers to it by `href` the second time.
    function twin($item) {
        return [$item, $item];
    }

    function fail($why) {
        throw new SoapFault('Server', $why, 'urn:old', ['why' => $why, 'more' => [1, 2]]);
    }
}

class Rpc {
    function store($items, $note) {
        return ['items' => $items, 'count' => count($items->item ?? [])];
    }

    function sum($a, $b) {
        return $a + $b;
    }
}

$where = trim($_SERVER['REQUEST_URI'], '/');
[$class, $document] = match ($where) {
    'encoded' => ['Encoded', 'depot-encoded.wsdl'],
    'rpc', 'rpc12' => ['Rpc', 'depot-rpc.wsdl'],
    default => ['Literal', 'depot.wsdl'],
};
$server = new SoapServer(__DIR__ . '/../services/' . $document, [
    'classmap' => $class === 'Literal' ? ['Item' => 'Item', 'Perishable' => 'Perishable', 'Machine' => 'Machine'] : [],
    'features' => SOAP_SINGLE_ELEMENT_ARRAYS,
    'soap_version' => $where === 'rpc12' ? SOAP_1_2 : SOAP_1_1,
]);
$server->setClass($class);
$server->handle();
