<?php
// The depots as PHP's SoapServer serves them, from the WSDL documents beside this folder:
//
//   php -S 127.0.0.1:PORT depot.php      /literal and /encoded
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

$encoded = str_starts_with($_SERVER['REQUEST_URI'], '/encoded');
$wsdl = __DIR__ . '/../services/' . ($encoded ? 'depot-encoded.wsdl' : 'depot.wsdl');
$classes = ['Item' => 'Item', 'Perishable' => 'Perishable', 'Machine' => 'Machine'];
$features = SOAP_SINGLE_ELEMENT_ARRAYS;
$server = new SoapServer($wsdl, ['classmap' => $encoded ? [] : $classes, 'features' => $features]);
$server->setClass($encoded ? 'Encoded' : 'Literal');
$server->handle();
